from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.kill_runs import small_project
from tests.support.project import Project


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was not built."""
    return small_project(tmp_path_factory.mktemp("new") / "project")


@pytest.fixture(scope="session")
def undisturbed(new: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project, built without any trouble."""
    project = new.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    project.build()
    return project


@pytest.fixture(scope="session")
def expected(undisturbed: Project) -> dict[str, str]:
    """SHA-256 of every pack file of the undisturbed build."""
    packs = undisturbed.packs()
    assert len(packs) > 50
    return packs


@pytest.fixture
def project(new: Project, tmp_path: Path) -> Project:
    """A copy that was not built."""
    return new.copy(tmp_path / "project")


@pytest.fixture
def built(undisturbed: Project, tmp_path: Path) -> Project:
    """A copy that was built."""
    return undisturbed.copy(tmp_path / "project")
