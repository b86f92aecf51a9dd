from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import Project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was built once; cases work on copies."""
    project = Project.make(tmp_path_factory.mktemp("built") / "project")
    project.build()
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A built project in a folder of its own."""
    return built.copy(tmp_path / "project")


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[..., Project]:
    """Make a project that was not built yet."""
    return lambda **options: Project.make(tmp_path / "project", **options)
