"""What a change makes run again: exactly what depends on it, job by job."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clips import write_clip
from tests.support.project import KITES, Project, kite_in_shard, shard_of_kite

pytestmark = pytest.mark.slow

Change = Callable[[Project], object]
Jobs = dict[str, int]

LATER = {
    "extract_frames": 3,
    "crop_frames": 3,
    "train_vqvae": 1,
    "encode_shard": 10,
    "write_pack": 4,
    "measure_codes": 3,
}
CLIPS = {"trim_shard": 5, **LATER}
VIDEOS = {"download_shard": 5, **CLIPS}
LISTS = {"make_manifest_kites_all": 1, "make_manifest_waves_all": 1, **VIDEOS}
MODEL = {"train_vqvae": 1, "encode_shard": 8, "write_pack": 3, "measure_codes": 3}
CROPS = {"crop_frames": 3, "encode_shard": 3, "write_pack": 1, "measure_codes": 1}
PIXELS = {"extract_frames": 3, **CROPS}
WEIGHTS = {"fetch_weights": 1, "convert_weights": 1, "encode_shard": 2, "write_pack": 1}
ONE_SHARD = {
    "make_manifest_kites_all": 1,
    "download_shard": 1,
    "trim_shard": 1,
    "extract_frames": 1,
    "crop_frames": 1,
    "encode_shard": 2,
    "write_pack": 2,
    "measure_codes": 2,
}


def configured(path: str, value: object) -> Change:
    return lambda project: project.configure(path, value)


def version_of(stage: str) -> Change:
    def change(project: Project) -> None:
        path = "scripts/reelpack/config/stages.py"
        edit(project, path, rf'"{stage}",\s+\d+', f'"{stage}", 1000')

    return change


def edit(project: Project, path: str, pattern: str, replacement: str) -> None:
    file = project.folder / path
    text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{path}: {count} matches for {pattern}"
    file.write_text(text)


def comments(project: Project) -> None:
    for path in project.folder.glob("scripts/**/*.py"):
        path.write_text(path.read_text() + "\n# One more comment.\n")


def touched(pattern: str) -> Change:
    def change(project: Project) -> None:
        paths = list(project.folder.glob(pattern))
        assert paths
        for path in paths:
            os.utime(path)

    return change


def new_weights(project: Project) -> None:
    project.configure("weights.dalle_encoder", project.add_weights(seed=2))


def new_dataset(project: Project) -> None:
    (project.folder / "clips/ponds").mkdir()
    write_clip(project.folder / "clips/ponds/pond.mp4", frames=20)
    project.configure("datasets.ponds", {"videos": "clips/ponds", "recipes": ["vimpac_toy"]})


def with_kite(shard: int, *, at: int) -> Change:
    def change(project: Project) -> None:
        name, names = kite_in_shard(shard), project.kites
        project.add_kite_video(name, frames=30)
        project.write_list([*names[:at], name, *names[at:]])

    return change


def without_kite(project: Project) -> None:
    gone = next(name for name in KITES if shard_of_kite(name) == 1)
    project.write_list(name for name in project.kites if name != gone)


def replaced_video(project: Project) -> None:
    name = next(name for name in KITES if shard_of_kite(name) == 2)
    write_clip(project.kite_path(name), frames=47, width=80)


def moved_in_list(project: Project) -> None:
    names = project.kites
    first = next(n for n, (a, b) in enumerate(itertools.pairwise(names)) if differ(a, b))
    names[first : first + 2] = reversed(names[first : first + 2])
    project.write_list(names)


def differ(one: str, other: str) -> bool:
    return shard_of_kite(one) != shard_of_kite(other)


PLANNED: dict[str, tuple[Change, Jobs]] = {
    "nothing": (lambda project: None, {}),
    "pack": (configured("recipes.lvt_toy.pack.dataset_name", "other"), {"write_pack": 1}),
    "crop, staged": (configured("recipes.lvt_toy.crop.position", "top"), CROPS),
    "crop, streamed": (
        configured("recipes.dalle_toy.crop.position", "top"),
        {"encode_shard": 2, "write_pack": 1},
    ),
    "sampling, staged": (configured("recipes.lvt_toy.frames.fps", 2), PIXELS),
    "sampling, streamed": (
        configured("recipes.vimpac_toy.frames.fps", 3),
        {"encode_shard": 5, "write_pack": 2, "measure_codes": 2},
    ),
    "scaler, staged": (configured("recipes.lvt_toy.frames.scaler", "bilinear"), PIXELS),
    "scaler, streamed": (
        configured("recipes.vimpac_toy.frames.scaler", "bilinear"),
        {"encode_shard": 5, "write_pack": 2, "measure_codes": 2},
    ),
    "description": (configured("recipes.lvt_toy.description", "Another one."), {}),
    "training": (configured("models.toy.training.steps", 7), MODEL),
    "devices": (configured("models.toy.training.devices", 2), MODEL),
    "pictures of a training": (configured("models.toy.training.pictures_every", 3), {}),
    "patience that is off": (configured("models.toy.training.evaluate_every", 3), {}),
    "weights": (new_weights, WEIGHTS),
    "checksum of weights": (configured("weights.dalle_encoder.sha256", "0" * 64), WEIGHTS),
    "version of make_manifest": (version_of("make_manifest"), LISTS),
    "version of download_shard": (version_of("download_shard"), VIDEOS),
    "version of trim_shard": (version_of("trim_shard"), CLIPS),
    "version of extract_frames": (version_of("extract_frames"), LATER),
    "version of crop_frames": (
        version_of("crop_frames"),
        {name: n for name, n in LATER.items() if name != "extract_frames"},
    ),
    "version of train_vqvae": (version_of("train_vqvae"), MODEL),
    "version of encode_shard": (
        version_of("encode_shard"),
        {"encode_shard": 10, "write_pack": 4, "measure_codes": 3},
    ),
    "version of write_pack": (version_of("write_pack"), {"write_pack": 4}),
    "version of measure_codes": (version_of("measure_codes"), {"measure_codes": 3}),
    "comments in scripts": (comments, {}),
    "time of scripts": (touched("scripts/**/*.py"), {}),
    "time of rules": (touched("rules/*.smk"), {}),
    "time of the config": (touched("config.yaml"), {}),
    "time of weights": (touched("weights/encoder.pkl"), {}),
    "profile": (
        lambda p: edit(p, "profiles/default/profile.yaml", "keep-going: true", "keep-going: false"),
        {},
    ),
    "more may fail": (configured("max_failed", 0.5), {"write_pack": 4}),
    "a dataset more": (
        new_dataset,
        {
            "make_manifest_ponds_all": 1,
            "download_shard": 1,
            "trim_shard": 1,
            "encode_shard": 1,
            "write_pack": 1,
            "measure_codes": 1,
        },
    ),
    "a dataset less": (configured("datasets.waves", None), {}),
    "a recipe less": (configured("datasets.kites.recipes", ["lvt_toy"]), {}),
    "from staged to streamed": (configured("frames_mode", "streamed"), {}),
    "from streamed to staged": (configured("frames_mode", "staged"), {}),
}


@pytest.mark.parametrize("case", PLANNED)
def test_planned(project: Project, case: str) -> None:
    change, expected = PLANNED[case]
    change(project)
    assert project.plan() == expected, case


# A dry run cannot know that a list read again gives the same shard tables, so here the jobs that ran count.
RAN: dict[str, tuple[Change, Jobs]] = {
    "time of the list": (touched("clips/kites.csv"), {}),
    "time of all videos": (
        touched("clips/**/*.mp4"),
        {"make_manifest_kites_all": 1, "make_manifest_waves_all": 1},
    ),
    "order in the list": (
        moved_in_list,
        {"make_manifest_kites_all": 1, "write_pack": 2, "measure_codes": 2},
    ),
    "a clip more at the end": (with_kite(2, at=len(KITES) + 1), ONE_SHARD),
    "a clip more in the middle": (with_kite(1, at=3), ONE_SHARD),
    "a clip less": (without_kite, ONE_SHARD),
    "a video replaced": (replaced_video, ONE_SHARD),
}


@pytest.mark.parametrize("case", RAN)
def test_ran(project: Project, case: str) -> None:
    change, expected = RAN[case]
    change(project)
    assert project.build() == expected, case
    assert project.nothing_to_do()


def test_the_number_of_cores_changes_nothing(project: Project) -> None:
    assert "Nothing to be done" in project.snakemake(cores=1).ok().text


def test_the_time_of_large_weights_changes_nothing(project: Project) -> None:
    # Snakemake forgives a new time only to files small enough to be compared by checksum.
    touched("weights/encoder.pkl")(project)
    done = project.snakemake("-n", "--max-checksum-file-size", "1").ok()
    assert "fetch_weights" not in done.text


def test_one_dataset_alone(new_project: Callable[..., Project]) -> None:
    project = new_project()
    # One of its recipes encodes with the model that learns from one shard of the kites.
    learned = {
        "make_manifest_kites_all": 1,
        "extract_frames": 1,
        "crop_frames": 1,
        "train_vqvae": 1,
    }
    shards = {"download_shard": 3, "trim_shard": 3, "encode_shard": 4, "write_pack": 2}
    shards["measure_codes"] = 1
    weights = dict.fromkeys(("fetch_weights", "convert_weights"), 1)
    assert project.plan("waves") == {"make_manifest_waves_all": 1, **learned, **shards, **weights}
    assert project.plan() == {**LISTS, **weights}


def test_another_clone_and_another_working_folder(project: Project, tmp_path: Path) -> None:
    clone = project.copy(tmp_path / "clone")
    for name in ("results", "resources", ".snakemake", "clips", "weights"):
        shutil.rmtree(clone.folder / name)
    touched("**/*")(clone)
    done = clone.snakemake("--directory", str(project.folder)).ok()
    assert "Nothing to be done" in done.text
    done = project.snakemake("--snakefile", str(clone.folder / "Snakefile")).ok()
    assert "Nothing to be done" in done.text
