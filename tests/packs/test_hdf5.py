"""HDF5 packs: the documented layout, read with h5py alone."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.packs import Entry
from tests.packs.samples import (
    ONE,
    TWO,
    DrawnFrames,
    context,
    entries,
    entry,
    put_whole,
    read_failures,
)

CAPTIONS = ['„Über" 🎬\0\n', ""]


def put(folder: Path, items: list[Entry], variants: Any = TWO, **settings: Any) -> Path:
    about = context(variants, settings={"encoder": None, **settings})
    return put_whole(folder, "hdf5", items, about) / "small.h5"


@pytest.mark.parametrize("kind", ["tokens", "features"])
def test_arrays_in_the_documented_layout(tmp_path: Path, kind: str) -> None:
    items = list(entries(6, kind=kind, captions=CAPTIONS, label_name="riding a bike"))
    with h5py.File(put(tmp_path / "pack", items)) as file:
        assert file["clip_id"].asstr()[:].tolist() == [item.clip_id for item in items]
        assert file["label_name"].asstr()[0] == "riding a bike"
        for number, item in enumerate(items):
            assert file["has_label"][number] == (item.label is not None)
            assert file["label"][number] == (item.label or 0)
            assert json.loads(file["captions"].asstr()[number]) == CAPTIONS
            for name, array in item.arrays.items():
                start, end = file[name]["rows"][number : number + 2]
                found = file[name]["values"][start:end]
                np.testing.assert_array_equal(found, array)
                assert isinstance(array, np.ndarray)
                assert found.dtype == array.dtype


def test_pictures_in_the_documented_layout(tmp_path: Path) -> None:
    items = list(entries(4, kind="frames", variants=ONE))
    with h5py.File(put(tmp_path / "pack", items, ONE)) as file:
        group = file[ONE[0].name]
        for number, item in enumerate(items):
            frames = item.arrays[ONE[0].name]
            assert isinstance(frames, DrawnFrames)
            start, end = group["rows"][number : number + 2]
            assert group["pts_seconds"][start:end].tolist() == frames.pts_seconds
            for picture, frame in zip(range(start, end), frames, strict=True):
                first, last = group["ends"][picture : picture + 2]
                data = io.BytesIO(group["bytes"][first:last])
                np.testing.assert_array_equal(np.asarray(Image.open(data)), frame)


def test_times_do_not_show(tmp_path: Path) -> None:
    one = put(tmp_path / "one", list(entries(3))).read_bytes()
    time.sleep(1.1)
    assert put(tmp_path / "two", list(entries(3))).read_bytes() == one


def test_chunks_do_not_show_in_what_is_read(tmp_path: Path) -> None:
    # 160 clips of 128 KiB: many chunks of 256 KiB, and clips that begin and end inside one.
    items = list(entries(160, shape=(3, 64, 86), variants=ONE))
    with h5py.File(put(tmp_path / "pack", items, ONE)) as file:
        values = file[ONE[0].name]["values"]
        assert values.chunks == (5, 64, 86)
        whole = np.concatenate([np.asarray(item.arrays[ONE[0].name]) for item in items])
        np.testing.assert_array_equal(values[:], whole)


def test_a_split_without_clips(tmp_path: Path) -> None:
    with h5py.File(put(tmp_path / "pack", [])) as file:
        assert len(file["clip_id"]) == 0


def test_what_hdf5_cannot_hold(tmp_path: Path) -> None:
    items = [entry("a\0b", 0), entry("c", 1, label_name="x\0"), entry("d", 2)]
    put(tmp_path / "pack", items)
    assert [row["class"] for row in read_failures(tmp_path / "pack")] == ["pack", "pack"]
    with pytest.raises(UserError, match="has another shape than that of clips before it"):
        put(tmp_path / "other", [entry("a", 0), entry("b", 1, shape=(3, 4, 5))])
    assert not (tmp_path / "other").exists()
