"""scripts/run.py with the real Snakemake in a folder of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
        [sys.executable, "-c", START, "--cores", "1", *arguments],
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
    run = start(folder)
    _, message = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "config: this key" in message
    assert "CalledProcessError" not in message


def test_help_takes_no_lock(folder):
    run = start(folder, "--help")
    text, _ = run.communicate(timeout=60)
    assert "Takes Snakemake's own arguments" in text
    assert not (folder / ".snakemake").exists()
