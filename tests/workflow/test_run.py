"""scripts/run.py with the real Snakemake in a folder of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run
from tests.support.helpers import ROOT

SNAKEFILE = """
rule all:
    output: "done.txt"
    shell: "touch started; while [ ! -e go ]; do sleep 0.05; done; touch done.txt"
"""
START = "import run; run.WAIT_SECONDS = 0.3; run.main()"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", START, "--snakefile", "Snakefile", "--cores", "1", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_second_run_says_why_it_stops_and_a_killed_one_leaves_no_lock(folder):
    first = start(folder)
    try:
        wait_for(folder / "started")
        second = start(folder)
        _, message = second.communicate(timeout=60)
        assert second.returncode == 1
        assert message == (
            f"error: another run is at work in {folder} (process {first.pid});"
            " wait for it or stop it\n"
        )
    finally:
        first.kill()
        first.wait()
        # The job outlives its Snakemake, and ends now.
        (folder / "go").touch()
        first.communicate()
    assert list((folder / ".snakemake" / "locks").iterdir()), "the killed run left no stale lock"
    third = start(folder, "--rerun-incomplete")
    _, message = third.communicate(timeout=120)
    assert third.returncode == 0, message
    assert (folder / "done.txt").exists()


def test_a_mistake_in_the_snakefile_is_not_hidden_by_a_stale_lock(folder):
    (folder / "Snakefile").write_text("raise WorkflowError('config: this key')\n")
    (folder / ".snakemake" / "locks").mkdir(parents=True)
    (folder / ".snakemake" / "locks" / "0.input.lock").write_text("x\n")
    process = start(folder)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "config: this key" in message
    assert "CalledProcessError" not in message


@pytest.mark.parametrize(
    ("given", "put_in_front"),
    [
        (["all"], ["--resources", "gpu=1", "downloads=4", "--cores", "all"]),
        (["all", "-c", "3"], ["--resources", "gpu=1", "downloads=4"]),
        (["-j8", "all"], ["--resources", "gpu=1", "downloads=4"]),
        (["--resources=gpu=2", "-n"], ["--cores", "all"]),
        (["all", "--executor", "slurm"], []),
    ],
)
def test_what_is_not_given_is_the_usual(given, put_in_front):
    folder, arguments = run.complete(given)
    snakefile = ["--snakefile", str(ROOT / "Snakefile")]
    assert (folder, arguments) == (Path(), [*put_in_front, *snakefile, *given])


def test_the_project_s_profiles_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = str(ROOT / "profiles" / "slurm")
    for given in (["--profile", "slurm", "all"], ["--profile=slurm", "-d", str(tmp_path)]):
        folder, arguments = run.complete(given)
        assert arguments[2:] == [each.replace("slurm", own) for each in given]
        assert folder == (tmp_path if "-d" in given else Path())
    (tmp_path / "slurm").mkdir()
    assert run.complete(["--profile", "slurm"])[1][2:] == ["--profile", "slurm"]


def test_help_takes_no_lock(folder):
    process = start(folder, "--help")
    text, _ = process.communicate(timeout=60)
    assert "All arguments are Snakemake's own" in text
    assert not (folder / ".snakemake").exists()
