from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.helpers import make_once
from tests.support.project import Project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was built once; cases work on copies."""
    return Project(
        make_once(tmp_path_factory, "built", lambda folder: Project.make(folder).build())
    )


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A built project in a folder of its own."""
    return built.copy(tmp_path / "project")


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[..., Project]:
    """Make a project that was not built yet."""
    return lambda **options: Project.make(tmp_path / "project", **options)
