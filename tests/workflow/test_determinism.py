"""The same clips, config and weights give the same bytes, however the work is cut and done."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow


def test_another_run_on_one_core_with_all_staged(
    built: Project, new_project: Callable[..., Project]
) -> None:
    project = new_project()
    project.configure("frames_mode", "staged")
    assert project.build(cores=1)["crop_frames"] == 15
    assert project.packs() == built.packs()
    assert len(built.measures()) == 6
    assert project.measures() == built.measures()


def test_streamed_what_was_staged(built: Project, project: Project) -> None:
    kites = project.folder / "results/kites/all"
    for name in ("encoded", "packs", "journal/encode_shard"):
        shutil.rmtree(kites / name / "lvt_toy")
    project.configure("frames_mode", "streamed")
    assert project.build() == {"encode_shard": 3, "write_pack": 1, "measure_codes": 1}
    assert project.packs() == built.packs()
    assert project.measures() == built.measures()


def test_one_shard_and_seven(new_project: Callable[..., Project]) -> None:
    project = new_project(weights=False)
    project.configure("models.toy.shards", None)
    project.configure("datasets.kites.recipes", ["lvt_toy"])
    packs = []
    for shards in (1, 7):
        project.configure("datasets.kites.shards", shards)
        assert project.build()["train_vqvae"] == 1
        packs.append((project.packs(), project.measures()))
    assert packs[0] == packs[1]
