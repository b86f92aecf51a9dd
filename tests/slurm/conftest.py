"""The cluster that the tests here share, and its job table at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import HEADER, Cluster

REQUIRED = os.environ.get("REELPACK_REQUIRE_SLURM") == "1"
TABLE = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def slurm(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    # Everybody must be able to reach munge's socket: pytest's own folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    try:
        cluster = Cluster(folder, install=REQUIRED)
    except (RuntimeError, OSError) as error:
        shutil.rmtree(folder)
        if REQUIRED:
            raise
        pytest.skip(
            f"no SLURM cluster ({error}); as root on Debian, REELPACK_REQUIRE_SLURM=1 installs it"
        )
    try:
        yield cluster
        request.config.stash[TABLE] = [job.line for job in cluster.jobs()]
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(TABLE, [])
    if lines:
        terminalreporter.section("SLURM jobs")
        for line in [HEADER, *lines]:
            terminalreporter.write_line(line)
