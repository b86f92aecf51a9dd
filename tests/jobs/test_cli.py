import os
import sys
from pathlib import Path

import pytest

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.jobs.retries import Retries


def raising(error):
    def main():
        raise error

    return main


def test_a_users_mistake_is_one_line_and_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.run(raising(UserError("config: key: what it may be")))
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: config: key: what it may be\n"


def test_bugs_keep_their_trace():
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


@pytest.mark.parametrize(("status", "code"), [(None, None), (0, 0), (3, 3)])
def test_the_status_of_a_command_is_passed_on(status, code):
    with pytest.raises(SystemExit) as caught:
        cli.run(lambda: status)
    assert caught.value.code == code


def test_jobs_find_this_interpreter_first(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    for _ in range(2):
        cli.use_this_interpreter()
    folder = str(Path(sys.executable).parent)
    assert os.environ["PATH"].split(os.pathsep) == [folder, "/usr/bin"]


def test_arguments_of_a_stage():
    needed = ["--params", "{}", "--ledger", "l", "--output", "o", "--journal", "j"]
    args = cli.shard_parser("x").parse_args(needed)
    assert (args.retries, args.threads, args.journal) == (Retries(), 1, Path("j"))
    args = cli.shard_parser("x").parse_args([*needed, "--retries", '{"all": 2}'])
    assert args.retries == Retries(all=2)
    with pytest.raises(SystemExit):
        cli.shard_parser("x").parse_args(["--params", "{}"])
