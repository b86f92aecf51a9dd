"""Parquet packs: opened by Hugging Face `datasets` itself, arrays and pictures as they were."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import datasets
from reelpack.core.errors import UserError
from reelpack.packs import Entry
from tests.packs.samples import ONE, TWO, DrawnFrames, context, entries, entry, put_whole

CAPTIONS = ["„Über\" den 'Fluss' 🎬\tnext", "another"]


def put(folder: Path, items: list[Entry], variants: Any = TWO, **options: Any) -> Path:
    split = options.pop("split", "val")
    about = context(variants, split=split, settings={"encoder": None, **options})
    return put_whole(folder, "parquet", items, about)


def load(folder: Path, split: str = "val") -> datasets.Dataset:
    return datasets.load_dataset(str(folder), cache_dir=str(folder) + "-cache")[split]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("tokens", {}),
        ("tokens", {"shape": (2, 4, 3, 3)}),
        ("features", {}),
        ("features", {"dtype": np.float32}),
    ],
)
def test_arrays_as_datasets_loads_them(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    items = [*entries(5, kind=kind, captions=CAPTIONS, **options)]
    loaded = load(put(tmp_path / "pack", items)).with_format("numpy")
    assert loaded["clip_id"][:].tolist() == [item.clip_id for item in items]
    for row, item in zip(loaded, items, strict=True):
        for name, array in item.arrays.items():
            assert isinstance(array, np.ndarray)
            np.testing.assert_array_equal(row[name], array)
            # Its numpy format turns half into single floats unless it is told a dtype.
            assert row[name].dtype == (np.float32 if array.dtype == np.float16 else array.dtype)
    plain = load(tmp_path / "pack")
    assert plain["label"][:] == [item.label for item in items]
    assert plain[0]["captions"] == CAPTIONS


@pytest.mark.parametrize("image", ["png", "jpeg", "webp"])
def test_pictures_as_datasets_loads_them(tmp_path: Path, image: str) -> None:
    items = list(entries(4, kind="frames", variants=ONE, captions=CAPTIONS))
    loaded = load(put(tmp_path / "pack", items, ONE, image=image))
    name = ONE[0].name
    for row, item in zip(loaded, items, strict=True):
        frames = item.arrays[name]
        assert isinstance(frames, DrawnFrames)
        assert row[f"{name}_pts_seconds"] == frames.pts_seconds
        assert [found.size for found in row[name]] == [(16, 12)] * len(frames)
        if image == "png":
            for found, frame in zip(row[name], frames, strict=True):
                np.testing.assert_array_equal(np.asarray(found), frame)


def test_pictures_hold_bytes_and_path(tmp_path: Path) -> None:
    put(tmp_path / "pack", [entry("a", kind="frames", variants=ONE)], ONE, image="webp")
    (path,) = (tmp_path / "pack/data").iterdir()
    (row,) = pq.read_table(path)[ONE[0].name].to_pylist()
    assert [part["path"] for part in row] == ["000000.webp", "000001.webp", "000002.webp"]
    assert Image.open(io.BytesIO(row[0]["bytes"])).format == "WEBP"


@pytest.mark.parametrize(("count", "files"), [(0, 1), (3, 1), (4, 2), (7, 3)])
def test_the_number_of_files_follows_the_rows(tmp_path: Path, count: int, files: int) -> None:
    put(tmp_path / "pack", list(entries(count)), samples_per_shard=3)
    names = sorted(path.name for path in (tmp_path / "pack/data").iterdir())
    assert names == [f"val-{n:05d}-of-{files:05d}.parquet" for n in range(files)]
    assert (
        sum(pq.read_metadata(path).num_rows for path in (tmp_path / "pack/data").iterdir()) == count
    )


def test_the_split_of_own_data_is_called_train(tmp_path: Path) -> None:
    put(tmp_path / "pack", list(entries(2)), split="all")
    assert load(tmp_path / "pack", "train").num_rows == 2


def test_arrays_of_another_shape_than_before_are_refused(tmp_path: Path) -> None:
    items = [entry("a", 0), entry("b", 1, shape=(3, 4, 5))]
    with pytest.raises(UserError, match="a column holds one shape but for the first axis"):
        put(tmp_path / "pack", items)
    with pytest.raises(UserError, match="has 6 axes; allowed: 1 to 5"):
        put(tmp_path / "pack", [entry("a", shape=(1,) * 6)])
    assert not (tmp_path / "pack").exists()


def test_a_clip_larger_than_a_row_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DrawnFrames, "stored_bytes", (1 << 30) + 1)
    put(tmp_path / "pack", [entry("a", kind="frames", variants=ONE)], ONE)
    assert "1024 MiB of frames are more than a row" in (tmp_path / "pack/failures.csv").read_text()


def test_rows_are_read_by_groups(tmp_path: Path) -> None:
    put(tmp_path / "pack", list(entries(40, shape=(4, 64, 64))))
    (path,) = (tmp_path / "pack/data").iterdir()
    about = pq.read_metadata(path)
    # A clip has 2 crop sets of 128 KiB, and a group ends behind the clip that makes it a MiB.
    assert [about.row_group(n).num_rows for n in range(about.num_row_groups)] == [4] * 10
