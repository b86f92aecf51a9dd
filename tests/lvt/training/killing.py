"""Kill trainings, in this process between two steps, or as processes at any time."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.support.helpers import ROOT


class Killed(BaseException):
    """Nothing in the library catches it."""


@contextmanager
def killed_at(training, step):
    """Have a training class end before it does a step; give the steps that it did."""
    advance, done = training.advance, []

    def dying(self):
        if self.step == step:
            raise Killed
        done.append(self.step)
        return advance(self)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):  # noqa: PT012
        patch.setattr(training, "advance", dying)
        yield done


@contextmanager
def counted(training):
    """Give the steps that a training class does."""
    advance, done = training.advance, []

    def counting(self):
        done.append(self.step)
        return advance(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "advance", counting)
        yield done


def start(script, *words, **environment):
    """Start a script of tests/lvt/training/ in a process group of its own."""
    paths = os.pathsep.join(str(ROOT / name) for name in ("scripts", "."))
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "lvt" / "training" / script), *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    """Wait for a started script; return its exit status and what it wrote to stderr."""
    _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def kill_after(process, path):
    """Kill a started script and all its processes, once a file is there."""
    until = time.monotonic() + 240
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def group(process):
    """Return the process ids of a started script's group, without those that have ended."""
    found = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-g", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, status in lines if not status.startswith("Z")]
