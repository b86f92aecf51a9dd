"""What several test modules share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from reelpack.video.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


def shared_clips() -> Path | None:
    """Folder of real clips that some checkouts have beside them."""
    folder = SHARED / "clips"
    return folder if folder.is_dir() else None


def program_on_path() -> str:
    """The ffmpeg program, an independent witness; where CI promises one, its lack is a failure."""
    program = shutil.which("ffmpeg")
    if program is None:
        if os.environ.get("REELPACK_REQUIRE_FFMPEG") == "1":
            pytest.fail("REELPACK_REQUIRE_FFMPEG=1, but no ffmpeg program is on PATH")
        pytest.skip("no ffmpeg program on PATH")
    return program


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake on this checkout's Snakefile in another folder."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    return subprocess.run(
        [*command, "--directory", str(folder), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def write(path: Path, text: str | bytes = b"video") -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first of several pytest processes makes, and all of them use."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    folder = (factory.getbasetemp() if alone else factory.getbasetemp().parent) / name
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


def count_packets_fed(plan: Plan) -> int:
    """Packets that the decoder sees of a plan."""
    return sum(len(segment.packets) for segment in plan.segments)
