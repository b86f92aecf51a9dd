from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.packs import Entry, get_format
from reelpack.packs.lvt_codes import LvtVideos
from tests.packs.samples import ONE, TWO, context, entries, entry, put_whole

FORMAT = get_format("lvt_codes")
SHAPE = (12, 4, 5, 5)


def put(folder: Path, items: list[Entry], **settings: object) -> Path:
    return put_whole(folder, "lvt_codes", items, context(ONE, settings=settings))


def natural(path: Path) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def test_videos_are_numbered_by_sorted_id(tmp_path: Path) -> None:
    items = list(entries(12, variants=ONE, shape=SHAPE))
    pack = put(tmp_path / "pack", items)
    assert sorted(path.name for path in pack.iterdir()) == [
        "checksums.sha256",
        "entries.parquet",
        "failures.csv",
        "provenance.json",
        "toy_train_seq",
        "videos.csv",
    ]
    for index, item in enumerate(sorted(items, key=lambda item: item.clip_id)):
        folder = pack / "toy_train_seq" / f"video_{index}"
        files = sorted(folder.iterdir(), key=natural)
        assert [file.name for file in files] == [f"{frame}.npy" for frame in range(12)]
        codes = np.stack([np.load(file) for file in files])
        assert codes.dtype == np.int64
        assert np.array_equal(codes, item.arrays["center64"])
    with (pack / "videos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip_id"] for row in rows] == sorted(item.clip_id for item in items)
    assert rows[3]["folder"] == "toy_train_seq/video_3"


def test_class_folders_keep_their_spaces(tmp_path: Path) -> None:
    items = [entry("train/clay pottery/b", 0, variants=ONE), entry("a/c", 1, variants=ONE)]
    pack = put(tmp_path / "pack", items, class_folders=True, dataset_name="kinetics_train_seq")
    videos = sorted(path.relative_to(pack).as_posix() for path in pack.glob("*/*/*"))
    assert videos == ["kinetics_train_seq/a/video_0", "kinetics_train_seq/clay pottery/video_1"]


@pytest.mark.parametrize("clip_id", ["bare", "../x", "./x", "a//x", "nul\0/x", "ü" * 200 + "/x"])
def test_ids_that_name_no_class_are_refused(clip_id: str) -> None:
    about = context(ONE, settings={"class_folders": True})
    with pytest.raises(ClipError, match="class"):
        FORMAT.store(entry(clip_id, variants=ONE), about)


def test_one_codebook_and_small_integers(tmp_path: Path) -> None:
    arrays = {"center64": np.arange(18, dtype=np.int16).reshape(2, 3, 3)}
    pack = put(tmp_path / "pack", [Entry("a", 0, None, None, arrays)])
    ((clip_id, codes),) = LvtVideos(pack)
    assert clip_id == "a"
    assert codes.dtype == np.int64
    assert np.array_equal(codes[:, 0], arrays["center64"])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="one crop"):
        FORMAT.check(context(TWO))
    with pytest.raises(UserError, match="dataset_name"):
        FORMAT.check(context(ONE, settings={"dataset_name": "a/b"}))
    with pytest.raises(UserError, match="shape"):
        FORMAT.store(entry("a", variants=ONE, shape=(3, 3)), context(ONE))
    with pytest.raises(ClipError, match="no frames"):
        FORMAT.store(entry("a", variants=ONE, shape=(0, 4, 3, 3)), context(ONE))


def test_an_empty_split_gives_an_empty_pack(tmp_path: Path) -> None:
    pack = put(tmp_path / "pack", [])
    assert len(LvtVideos(pack)) == 0
