"""Folders of pictures: as the Latent Video Transformer's readers walk them, and never two clips in one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.packs import Entry, get_format
from tests.packs.samples import ONE, TWO, DrawnFrames, context, entry, put_whole, read_failures
from tests.support.clips import picture

KINETICS = {
    "massaging person's head/abc_d-e_000001_10": 12,
    "playing american football (in game)/x_000010_10": 3,
    "playing american football (in game)/y_000010_10": 1,
}
PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tiff", ".webp")


def put(folder: Path, name: str, items: list[Entry], **settings: Any) -> list[dict[str, str]]:
    """Publish and return the failures."""
    about = context(ONE, settings={"encoder": None, **settings})
    return read_failures(put_whole(folder, name, items, about))


def clip(clip_id: str, order: int = 0, frames: int = 2, **options: Any) -> Entry:
    return entry(clip_id, order, kind="frames", variants=ONE, frames=frames, **options)


def naturally(names: list[str]) -> list[str]:
    parts = {name: re.split(r"(\d+)", name) for name in names}
    key = {name: [int(p) if p.isdigit() else p for p in parts[name]] for name in names}
    return sorted(names, key=key.__getitem__)


def walk(root: Path) -> dict[str, list[str]]:
    """Videos as the seed's readers find them: folders without folders that hold only pictures."""
    found = {}
    for place, folders, files in os.walk(root):
        if not folders and files and all(name.lower().endswith(PICTURES) for name in files):
            found[os.path.relpath(place, root)] = naturally(files)
    return found


@pytest.mark.parametrize(("settings", "first"), [({}, 1), ({"first_number": 0}, 0)])
def test_kinetics_as_the_seed_s_reader_walks_it(
    tmp_path: Path, settings: dict[str, Any], first: int
) -> None:
    items = [clip(name, order, count) for order, (name, count) in enumerate(KINETICS.items())]
    assert put(tmp_path / "pack", "png_folders", items, **settings) == []
    videos = walk(tmp_path / "pack" / "frames")
    assert videos == {
        name: [f"{number}.png" for number in range(first, first + count)]
        for name, count in KINETICS.items()
    }
    # The class that its label table is asked for is the folder above the video.
    assert {Path(name).parent.name for name in videos} == {name.split("/")[0] for name in KINETICS}
    for order, (name, files) in enumerate(videos.items()):
        for number, file in enumerate(files):
            with Image.open(tmp_path / "pack" / "frames" / name / file) as found:
                wanted = picture(10 * list(KINETICS).index(name) + number, 16, 12)
                np.testing.assert_array_equal(np.asarray(found), wanted)
                assert found.mode == "RGB", order


@pytest.mark.parametrize(
    ("clip_id", "label_name", "place"),
    [
        ("train/traj_10_to_14/3", None, "traj_10_to_14/3"),
        ("class/clip.v2", "other", "class/clip.v2"),
        ("clip", "riding a bike", "riding a bike/clip"),
        ("clip", None, "clip"),
    ],
)
def test_where_a_clip_lies(
    tmp_path: Path, clip_id: str, label_name: str | None, place: str
) -> None:
    put(tmp_path / "pack", "png_folders", [clip(clip_id, label_name=label_name)])
    assert list(walk(tmp_path / "pack" / "frames")) == [place]


def test_clips_that_would_share_a_folder_are_told(tmp_path: Path) -> None:
    ids = ["a/class/clip", "b/class/clip", "class", "class/other", "clip"]
    failed = put(tmp_path / "pack", "png_folders", [clip(name, n) for n, name in enumerate(ids)])
    assert [(row["clip_id"], row["class"], row["stage"]) for row in failed] == [
        ("b/class/clip", "pack", "write_pack"),
        ("class", "pack", "write_pack"),
    ]
    assert "another clip is already called class/clip" in failed[0]["message"]
    assert sorted(walk(tmp_path / "pack" / "frames")) == ["class/clip", "class/other", "clip"]


@pytest.mark.parametrize("label_name", ["a/b", "..", "", "x" * 300])
def test_class_names_that_no_folder_can_have_are_told(tmp_path: Path, label_name: str) -> None:
    (row,) = put(tmp_path / "pack", "png_folders", [clip("c", label_name=label_name)])
    assert "class name" in row["message"]


@pytest.mark.parametrize(
    ("image", "suffix", "kind"),
    [("png", "png", "PNG"), ("jpeg", "jpg", "JPEG"), ("webp", "webp", "WEBP")],
)
def test_folders_by_clip_id_in_any_kind_of_picture(
    tmp_path: Path, image: str, suffix: str, kind: str
) -> None:
    items = [clip("a/b.c", 0, 2), clip("d e", 1, 1)]
    put(tmp_path / "pack", "frame_folders", items, image=image)
    assert walk(tmp_path / "pack" / "frames") == {
        "a/b.c": [f"000000.{suffix}", f"000001.{suffix}"],
        "d e": [f"000000.{suffix}"],
    }
    with Image.open(tmp_path / "pack" / "frames" / "d e" / f"000000.{suffix}") as found:
        assert (found.format, found.size) == (kind, (16, 12))


def test_no_frames_and_frames_too_large_are_failures(tmp_path: Path) -> None:
    wide = Entry("wide", 0, None, None, {ONE[0].name: DrawnFrames(1, width=16384, height=1)})
    rows = put(tmp_path / "pack", "frame_folders", [wide, clip("none", 1, frames=0)], image="webp")
    assert [row["message"] for row in rows] == [
        "frame_folders: 16384x1 is more than webp can hold",
        "the clip has no frames",
    ]


def test_recipes_that_do_not_fit(tmp_path: Path) -> None:
    for name in ("png_folders", "frame_folders"):
        with pytest.raises(UserError, match="holds one crop per recipe"):
            get_format(name).check(context(TWO, settings={}))
    with pytest.raises(UserError, match="image 'gif' does not exist; allowed: png, jpeg, webp"):
        get_format("frame_folders").check(context(ONE, settings={"image": "gif"}))
    with pytest.raises(UserError, match="takes frames, not arrays"):
        put(tmp_path / "pack", "frame_folders", [entry("a", variants=ONE)])
    assert not (tmp_path / "pack").exists()
