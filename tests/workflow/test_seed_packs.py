"""The shipped recipes of VIOLET and FAVDBench through the workflow, in one project and one run."""

from __future__ import annotations

import base64
import csv
import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from reelpack.packs.verify import verify_pack
from tests.support.clips import write_audio, write_clip
from tests.support.dalle_weights import random_encoder, write
from tests.support.project import Project, sha256

pytestmark = pytest.mark.slow

RECIPES = [
    "violet_4", "violet_5", "violet_vq_224", "violet_vq_224_5", "favd_32", "favd_frames_32",
]  # fmt: skip
# Name to frames and seconds of sound; "short" has fewer frames than VIOLET takes.
CLIPS = {"a/one": (40, 1.6), "b/two": (30, 1.2), "b/mute": (30, 0.0), "short": (2, 0.5)}
GOOD = [*CLIPS, "wordless"]
CAPTION = 'a "kite", tabs\tand\nlines 😀'


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A list of clips, some of which lack something."""
    project = Project.make(tmp_path_factory.mktemp("seeds") / "project", weights=False)
    clips = project.folder / "clips/ponds"
    rows = [(f"{name}.mp4", f"{CAPTION} {name}") for name in CLIPS]
    rows += [("wordless.mp4", ""), ("sound.m4a", "no pictures"), ("gone.mp4", "no file")]
    for name, (frames, seconds) in {**CLIPS, "wordless": (26, 1.0)}.items():
        path = clips / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, frames=frames, audio_seconds=seconds)
    write_audio(clips / "sound.m4a")
    with (clips / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption"), *rows])
    weights = project.folder / "encoder.pkl"
    write(random_encoder(1, filters=16, vocabulary=64), weights, zipped=True)
    project.write_config(
        {
            "datasets": {
                "ponds": {"videos": "clips/ponds/list.csv", "shards": 2, "recipes": RECIPES}
            },
            "weights": {"dalle_encoder": {"path": "encoder.pkl", "sha256": sha256(weights)}},
            "max_failed": 0.6,
        }
    )
    return project


def test_all_packs_in_one_run_and_nothing_twice(packed: Project) -> None:
    jobs = packed.build()
    # Tokens of staged frames share them with violet_4 and violet_5; FAVDBench's go straight to its files.
    assert (jobs["extract_frames"], jobs["encode_images"]) == (4, 4)
    assert (jobs["extract_audio"], jobs["write_pack"]) == (2, 6)
    for name in RECIPES:
        assert verify_pack(pack_of(packed, name)).differences == (), name
    assert packed.nothing_to_do()


def pack_of(project: Project, recipe: str) -> Path:
    return project.folder / f"results/ponds/all/packs/{recipe}"


def failures(project: Project, recipe: str) -> dict[str, str]:
    with (pack_of(project, recipe) / "failures.csv").open(newline="") as file:
        return {row["clip_id"]: f"{row['stage']} {row['class']}" for row in csv.DictReader(file)}


def test_clips_without_pictures_or_file_are_told(packed: Project) -> None:
    told = failures(packed, "violet_5")
    assert sorted(told) == ["gone", "sound"]
    assert told["gone"].endswith("missing")
    assert told["sound"].endswith("no_video")


def test_violet_files_belong_together(packed: Project) -> None:
    with (pack_of(packed, "violet_5") / "img_ponds.pkl").open("rb") as file:
        images = pickle.load(file)
    assert list(images) == ["one", "two", "mute", "short", "wordless"]
    assert {len(frames) for frames in images.values()} == {5}
    short = images["short"]
    assert short[0] == short[1]
    assert len(set(short)) == 2
    pairs = json.loads(
        (pack_of(packed, "violet_5") / "txt_ponds-retrieval.json").read_text(encoding="utf-8")
    )
    assert {"video": "two", "caption": f"{CAPTION} b/two"} in pairs["train"]
    pack = pack_of(packed, "violet_4")
    texts = json.loads((pack / "txt_ponds.json").read_text())["train"]
    lines = [line for part in (0, 1) for line in (pack / f"img_ponds_train_{part}.tsv").open()]
    assert sorted(line.split("\t")[0] for line in lines) == sorted(texts)
    assert failures(packed, "violet_4")["wordless"] == "write_pack pack"
    for recipe, count in (("violet_vq_224", 4), ("violet_vq_224_5", 5)):
        with (pack_of(packed, recipe) / "vq_ponds.pkl").open("rb") as file:
            tokens = pickle.load(file)
        assert list(tokens) == list(images)
        assert {(array.dtype.name, array.shape) for array in tokens.values()} == {
            ("int16", (count, 7, 7))
        }
        np.testing.assert_array_equal(tokens["short"][0], tokens["short"][1])


def test_favd_files_are_aligned(packed: Project) -> None:
    pack = pack_of(packed, "favd_32")
    told = failures(packed, "favd_32")
    assert told["b/mute"] == "extract_audio no_audio"
    lines = [
        line.rstrip("\n").split("\t") for line in (pack / "frame_tsv/all_32frames.img.tsv").open()
    ]
    names = ["a/one", "b/two", "short", "wordless"]
    assert [line[0] for line in lines] == [f"datasets/videos/{name}.mp4" for name in names]
    assert {len(line) for line in lines} == {34}
    assert {line[1] for line in lines} == {'{"class": -1, "width": 341, "height": 256}'}
    assert all(base64.b64decode(field).startswith(b"\xff\xd8") for field in lines[2][2:])
    with h5py.File(pack / "audio_hdf/all_mp3.hdf") as file:
        assert [name.decode() for name in file["audio_name"]] == ["one", "two", "short", "wordless"]
    frames = pack_of(packed, "favd_frames_32") / "frames/all-32frames"
    assert len(list(frames.iterdir())) == 32 * len(GOOD)
