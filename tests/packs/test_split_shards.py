"""Frames of a split in list order, from shards of one crop set or of several."""

import numpy as np
import pandas as pd
import pytest

from reelpack.core.errors import DamagedError, UserError
from reelpack.core.files import sha256_file
from reelpack.core.tables import write_table
from reelpack.frames.shard import ClipWriter, join_clips
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import MANIFEST_COLUMNS
from reelpack.packs.split_shards import SplitFrames
from reelpack.packs.verify import verify_pack
from reelpack.packs.write import write_pack
from tests.support.clips import picture

# Clip, shard, and the crop set in which it failed.
LIST = [("c/x", 1, None), ("a", 0, 0), ("b", 0, None), ("d", 1, 1), ("e", 0, None)]
CARD = {
    "frames": {"fps": "4", "square": 16, "scaler": "bicubic"},
    "crop": {"size": 16, "position": "center", "hflip": [False, True]},
    "encoder": None,
    "pack": {"format": "webdataset"},
}


def frame(clip_id, crop, number):
    return picture(ord(clip_id[0]) + 10 * crop + number, 16, 16)


@pytest.fixture
def split(tmp_path):
    """Two crop sets of three shards, the last one empty."""
    rows = [
        {
            "clip_id": c,
            "shard": s,
            "video": c,
            "label": n,
            "captions": [f"{c}!"],
            "caption": f"{c}!",
        }
        for n, (c, s, _) in enumerate(LIST)
    ]
    table = pd.DataFrame(rows).assign(label_name=None)
    write_table(table, MANIFEST_COLUMNS, tmp_path / "manifest.parquet")
    for crop in range(2):
        for shard in range(3):
            write_shard(tmp_path / f"crop{crop}" / f"{shard:05d}.tar", crop, shard)
    return tmp_path


def write_shard(path, crop, shard):
    path.parent.mkdir(exist_ok=True)
    files, rows = [], []
    for clip_id, of, failed in LIST:
        if of != shard:
            continue
        if failed == crop:
            rows.append(LedgerRow(clip_id, "crop_frames", "failed", "too_small", "too small"))
            continue
        file = path.with_suffix(f".{len(files)}")
        with ClipWriter(file, clip_id) as writer:
            for number in range(3):
                writer.add(frame(clip_id, crop, number), pts_seconds=number / 4)
        files.append((clip_id, file))
        rows.append(LedgerRow(clip_id, "crop_frames", "ok", digest=sha256_file(file)))
    join_clips(path, files)
    write_ledger(rows, path.with_suffix(".ledger.parquet"))


def opened(split):
    return SplitFrames([split / "crop0", split / "crop1"], 3)


def test_clips_come_in_list_order_with_the_frames_of_every_crop_set(split):
    seen = []
    for entry in opened(split).entries(split / "manifest.parquet", ["one", "two"]):
        seen.append((entry.order, entry.clip_id))
        assert entry.captions == (f"{entry.clip_id}!",)
        for crop, frames in enumerate(entry.arrays.values()):
            assert list(frames.pts_seconds) == [0.0, 0.25, 0.5]
            for number in range(3):
                np.testing.assert_array_equal(frames[number], frame(entry.clip_id, crop, number))
    assert seen == [(0, "c/x"), (2, "b"), (4, "e")]


def test_a_clip_that_failed_in_one_crop_set_has_failed(split):
    failures = list(opened(split).failures(split / "manifest.parquet"))
    assert [(row["clip_id"], row["order"], row["class"]) for row in failures] == [
        ("a", 1, "too_small"),
        ("d", 3, "too_small"),
    ]


def test_a_pack_of_them_verifies(split):
    params = {"dataset": "mine", "split": "all", "recipe": "x", "card": CARD, "shards": 3}
    counts = write_pack(
        split / "manifest.parquet",
        [split / "crop0", split / "crop1"],
        params={**params, "max_failed": 0.5},
        folder=split / "pack",
    )
    assert counts == {"clips": 5, "entries": 3, "failed": 2}
    assert verify_pack(split / "pack").differences == ()


def test_a_changed_frame_is_refused(split):
    path = split / "crop1" / "00000.tar"
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"crop1/00000\.tar: damaged \(frames of a changed"):
        list(opened(split).entries(split / "manifest.parquet", ["one", "two"]))


def test_clips_that_no_ledger_names_are_refused(split):
    ledger = split / "crop0" / "00002.ledger.parquet"
    (split / "crop0" / "00002.tar").write_bytes((split / "crop0" / "00001.tar").read_bytes())
    assert ledger.exists()
    with pytest.raises(DamagedError, match="holds clips that its ledger does not name"):
        list(opened(split).entries(split / "manifest.parquet", ["one", "two"]))


def test_crop_sets_of_different_lists_are_refused(split):
    write_ledger([], split / "crop1" / "00000.ledger.parquet")
    with pytest.raises(UserError, match="these crop sets do not belong together"):
        opened(split)
