import os
import sys
from pathlib import Path

import pytest

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.jobs.job import Job
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
    parser = cli.build_parser("x", *cli.JOB)
    job = cli.read_job(parser.parse_args(needed))
    assert job == Job("{}", Path("o"), Path("l"), Path("j"), (), Retries(), 1)
    more = ["--retries", '{"all": 2}', "--threads", "3"]
    job = cli.read_job(parser.parse_args([*needed, *more]))
    assert (job.retries, job.workers) == (Retries(all=2), 3)
    with pytest.raises(SystemExit):
        parser.parse_args(["--params", "{}"])


def test_ledgers_of_stages_before(capsys):
    parser = cli.build_parser("x", *cli.JOB, "--earlier", "--gpus")
    needed = ["--params", "{}", "--ledger", "l", "--output", "o", "--journal", "j"]
    args = parser.parse_args([*needed, "--earlier", "a", "b"])
    assert cli.read_job(args).earlier == (Path("a"), Path("b"))
    assert args.gpus == 0
    with pytest.raises(SystemExit):
        parser.parse_args(needed)
    assert "--earlier" in capsys.readouterr().err
