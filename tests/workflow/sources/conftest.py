from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.server import Site, running
from tests.support.project import Project


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.bare(tmp_path / "project")
