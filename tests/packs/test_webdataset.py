"""WebDataset shards: read by `webdataset` itself, cut between clips alone."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import webdataset

from reelpack.packs import Entry
from reelpack.packs.webdataset import list_shards
from tests.packs.samples import ONE, TWO, context, entries, entry, put_whole

IDS = ["a.b/c", "__meta__/x", "ü 🎬", "UPPER", "a%2Eb", ".hidden", "-", "x" * 150]


def put(folder: Path, items: list[Entry], variants: Any = ONE, **settings: Any) -> list[str]:
    """Publish and return the shards."""
    about = context(variants, settings={"encoder": None, **settings})
    put_whole(folder, "webdataset", items, about)
    return [str(path) for path in list_shards(folder)]


def samples(shards: list[str]) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))


def test_tokens_as_webdataset_reads_them(tmp_path: Path) -> None:
    items = [
        entry(clip_id, order, variants=TWO, captions=["“x” 🎬\n"], label_name="riding a bike")
        for order, clip_id in enumerate(IDS)
    ]
    shards = put(tmp_path / "pack", items, TWO)
    found = samples(shards)
    assert [unquote(sample["__key__"]) for sample in found] == IDS
    for sample, item in zip(found, items, strict=True):
        about = json.loads(sample["json"])
        assert (about["clip_id"], about["label"]) == (item.clip_id, item.label)
        assert (about["captions"], about["label_name"]) == (["“x” 🎬\n"], "riding a bike")
        for name, array in item.arrays.items():
            tokens = np.load(io.BytesIO(sample[f"{name}.npy"]))
            np.testing.assert_array_equal(tokens, array)


def test_webdataset_s_own_decoders(tmp_path: Path) -> None:
    shards = put(tmp_path / "pack", [entry("a", kind="frames", variants=ONE)], image="jpeg")
    (sample,) = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")
    assert sample["0002.jpg"].shape == (12, 16, 3)
    assert sample["json"]["pts_seconds"] == {ONE[0].name: [0.0, 0.25, 0.5]}


@pytest.mark.parametrize(("variants", "infix"), [(ONE, ""), (TWO, "128top.")])
def test_names_of_pictures(tmp_path: Path, variants: Any, infix: str) -> None:
    (shard,) = put(tmp_path / "pack", [entry("a/b", kind="frames", variants=variants)], variants)
    with tarfile.open(shard) as tar:
        names = tar.getnames()
        assert all((m.uid, m.gid, m.mtime, m.uname) == (0, 0, 0, "") for m in tar.getmembers())
    assert names[:3] == ["a%2Fb.json", f"a%2Fb.{infix}0000.png", f"a%2Fb.{infix}0001.png"]


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({}, [7]),
        ({"samples_per_shard": 3}, [3, 3, 1]),
        ({"samples_per_shard": 7}, [7]),
        # Every clip is larger than such a shard, and still whole in one of its own.
        ({"shard_bytes": 1}, [1] * 7),
        ({"shard_bytes": 4000}, [2, 2, 2, 1]),
    ],
)
def test_shards_are_cut_between_clips(
    tmp_path: Path, settings: dict[str, int], sizes: list[int]
) -> None:
    shards = put(tmp_path / "pack", list(entries(7, variants=ONE)), **settings)
    assert [Path(shard).name for shard in shards] == [
        f"small-{number:06d}.tar" for number in range(len(sizes))
    ]
    assert [len(samples([shard])) for shard in shards] == sizes


def test_a_split_without_clips_has_one_empty_shard(tmp_path: Path) -> None:
    assert [samples([shard]) for shard in put(tmp_path / "pack", [])] == [[]]
