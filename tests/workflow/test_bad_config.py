"""What a person sees of a mistake: one clear line, a status that is not 0, nothing started, nothing lost."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.project import BAD, Project, sha256

pytestmark = pytest.mark.slow

BEFORE: dict[str, tuple[str, Any, str]] = {
    "unknown key": (
        "max_faild",
        0.5,
        "config: unknown key 'max_faild'; allowed: datasets, ",
    ),
    "unknown key of a recipe": (
        "recipes.lvt_toy.frames.fsp",
        4,
        "recipe lvt_toy: frames: unknown key 'fsp'; allowed: ",
    ),
    "no number": (
        "max_failed",
        "much",
        "config: max_failed: ",
    ),
    "no recipe of this name": (
        "datasets.kites.recipes",
        ["lvt_tyo"],
        "config: datasets.kites.recipes: no recipe 'lvt_tyo'; one of: ",
    ),
    "crop larger than the frame": (
        "recipes.lvt_toy.crop.size",
        64,
        "recipe lvt_toy: crop.size: 64 is larger than the frame, whose shorter side is 32",
    ),
    "no such folder": (
        "datasets.waves.videos",
        "clips/wafes",
        "config: datasets.waves.videos: clips/wafes: no such folder or list of videos",
    ),
    "no weights of this name": (
        "recipes.dalle_toy.encoder.weights",
        "dall_e",
        "recipe dalle_toy: encoder.weights: no weights 'dall_e'; one of: ",
    ),
}


@pytest.mark.parametrize("case", BEFORE)
def test_a_mistake_in_the_config_starts_nothing(
    new_project: Callable[..., Project], case: str
) -> None:
    path, value, line = BEFORE[case]
    project = new_project()
    project.configure(path, value)
    failed = project.snakemake()
    assert failed.returncode != 0
    assert [text for text in failed.text.splitlines() if text.startswith(line)], failed.text
    assert "Traceback" not in failed.text
    assert not (project.folder / "results").exists()


def no_videos(project: Project) -> str:
    (project.folder / "clips/waves").rename(project.folder / "clips/elsewhere")
    (project.folder / "clips/waves").mkdir()
    return "error: clips/waves: no videos in this folder (endings: "


def one_id_twice(project: Project) -> str:
    project.write_list([*project.kites, project.kites[0]])
    return f"error: clips/kites.csv: clip id 'kites/{project.kites[0]}' stands for 2 rows "


def other_checksum(project: Project) -> str:
    project.configure("weights.dalle_encoder.sha256", "0" * 64)
    found = sha256(project.folder / "weights/encoder.pkl")
    return f"error: weights/encoder.pkl: sha256 is {found}, not {'0' * 64}; "


class RunsCode:
    """Pickled, it makes a folder where it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("it-ran",)


def hostile_weights(project: Project, write: Callable[[Path], None]) -> str:
    path = project.folder / "weights/encoder.pkl"
    write(path)
    project.configure("weights.dalle_encoder.sha256", sha256(path))
    return "error: resources/weights/dalle_encoder/original: "


def hostile_zip(project: Project) -> str:
    return hostile_weights(project, lambda path: torch.save(RunsCode(), path))


def hostile_stream(project: Project) -> str:
    return hostile_weights(
        project,
        lambda path: torch.save(RunsCode(), path, _use_new_zipfile_serialization=False),
    )


def hostile_pickle(project: Project) -> str:
    return hostile_weights(
        project, lambda path: path.write_bytes(pickle.dumps(RunsCode())) and None
    )


JOBS: dict[str, tuple[Callable[[Project], str], str, str]] = {
    "an empty folder": (no_videos, "waves", "results/waves/all/manifest.parquet"),
    "one id twice": (one_id_twice, "kites", "results/kites/all/manifest.parquet"),
    "weights with another checksum": (
        other_checksum,
        "resources/weights/dalle_encoder/original",
        "resources/weights/dalle_encoder/original",
    ),
    **{
        f"weights that run code, {name}": (
            change,
            "resources/weights/dalle_encoder/model.safetensors",
            "resources/weights/dalle_encoder/model.safetensors",
        )
        for name, change in (
            ("zip", hostile_zip),
            ("stream", hostile_stream),
            ("pickle", hostile_pickle),
        )
    },
}


@pytest.mark.parametrize("case", JOBS)
def test_a_mistake_that_a_job_finds_is_one_line(
    new_project: Callable[..., Project], case: str
) -> None:
    change, target, absent = JOBS[case]
    project = new_project()
    line = change(project)
    failed = project.snakemake(target)
    assert failed.returncode != 0
    assert len(failed.errors()) == 1, failed.text
    assert failed.errors()[0].startswith(line)
    assert "Traceback" not in failed.text
    assert not (project.folder / absent).exists()
    assert not list(project.folder.rglob("it-ran"))


def test_too_many_failures_stop_with_the_counts_and_lose_nothing(project: Project) -> None:
    before = project.packs()
    project.configure("max_failed", 0.1)
    failed = project.snakemake("kites")
    assert failed.returncode != 0
    assert sorted(failed.errors()) == [
        f"error: kites all {recipe}: 1 of 9 clips failed, more than max_failed: 0.1 allows;"
        " the reasons are in the ledgers"
        for recipe in ("lvt_toy", "vimpac_toy")
    ]
    project.configure("max_failed", 0.12)
    assert project.build() == {"write_pack": 4}
    assert project.packs() == before
    failures = project.folder / "results/kites/all/packs/lvt_toy/failures.csv"
    (row,) = failures.read_text().splitlines()[1:]
    assert row.startswith(f"kites/{BAD},download_shard,corrupt,")
