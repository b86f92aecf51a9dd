"""Audits of a dataset on its way: they make lists and never videos, and follow what the run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import write_clip
from tests.support.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder of three clips, one of them broken, as a dataset that was never built."""
    project = Project.bare(tmp_path / "project")
    folder = project.folder / "clips"
    for name in ("train/a.mp4", "train/b.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(folder / name, frames=30)
    (folder / "train/c.mp4").write_bytes(b"no video")
    (folder / "val").mkdir()
    write_clip(folder / "val/d.mp4", frames=30)
    recipe = {
        "frames": {"fps": 2, "shorter_side": 32},
        "crop": {"size": 32},
        "encoder": {"name": "dalle", "weights": "dalle_encoder"},
        "pack": {"format": "vimpac_lmdb"},
    }
    own = {"videos": "clips", "shards": {"train": 2}, "recipes": ["toy"]}
    weights = {"dalle_encoder": project.add_weights(seed=1)}
    project.write_config({"datasets": {"own": own}, "recipes": {"toy": recipe}, "weights": weights})
    return project


def audit(project: Project) -> dict[str, Any]:
    return json.loads((project.folder / "results/own/audit.json").read_text())


def test_an_audit_follows_a_run(project: Project) -> None:
    done = project.snakemake("audit_own").ok()
    assert "2 of 2 steps" in done.text
    assert not list((project.folder / "results").glob("*/*/downloads"))
    text = (project.folder / "results/own/audit.txt").read_text()
    assert text in done.text
    before = audit(project)
    assert before["splits"]["train"] == {
        "published": None,
        "listed": 3,
        "obtained": 0,
        "failed": {},
        "missing": 3,
        "shards": 2,
        "shards_tried": 0,
    }
    assert [found["clip_id"] for found in before["files"]["unreadable"]["first"]] == ["train/c"]
    assert [found["path"] for found in before["files"]["unlisted"]["first"]] == ["clips/val/d.mp4"]
    assert project.nothing_to_do("audit_own")
    project.build("download")
    assert project.build("audit_own") == {"audit_own": 1}
    after = audit(project)["splits"]["train"]
    assert (after["obtained"], after["failed"], after["missing"]) == (2, {"corrupt": 1}, 0)
    # A mended file is noticed, and its clip is one to be tried again.
    write_clip(project.folder / "clips/train/c.mp4", frames=20)
    jobs = project.build("audit_own")
    assert jobs == {"make_manifest_own_train": 1, "audit_own": 1}
    assert audit(project)["files"]["unreadable"]["count"] == 0
