"""Every format through a torch DataLoader: each clip once, as it was packed, whatever the workers."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset

from reelpack.config.pack_rules import FORMAT_RULES, Kind
from reelpack.core.errors import UserError
from reelpack.packs import Entry, FrameSequence, get_format
from reelpack.packs.readers import PackStream, Sample, open_pack
from tests.packs.samples import ONE, TWO, cases, context, entries, put

CLIPS = 7
WITHOUT_CAPTIONS = ("vimpac_lmdb", "lvt_codes", "hero_npz")
CAPTIONS = ['a "quoted" 🎬\nline', "another"]


def packed(folder: Path, name: str, kind: Kind, **settings: Any) -> list[Entry]:
    variants = TWO if FORMAT_RULES[name].several else ONE
    items = list(entries(CLIPS, variants=variants, kind=kind, captions=CAPTIONS))
    about = context(variants, settings={"encoder": None, **settings})
    put(folder, name, items, about)
    return items


def expected(value: Any) -> Any:
    return np.stack(list(value)) if isinstance(value, FrameSequence) else value


def compare(found: list[Sample], items: list[Entry], name: str) -> None:
    assert sorted(sample.clip_id for sample in found) == sorted(item.clip_id for item in items)
    by_id = {item.clip_id: item for item in items}
    for sample in found:
        item = by_id[sample.clip_id]
        assert sample.label == item.label
        assert sample.caption == (None if name in WITHOUT_CAPTIONS else CAPTIONS[0])
        assert sample.arrays.keys() == item.arrays.keys()
        for crop, value in item.arrays.items():
            array = sample.arrays[crop]
            wanted = expected(value)
            np.testing.assert_array_equal(array.reshape(wanted.shape), wanted)
            assert array.dtype.kind == wanted.dtype.kind


@pytest.mark.parametrize(("name", "kind"), cases())
@pytest.mark.parametrize("workers", [0, 2])
def test_every_clip_once_as_it_was_packed(
    tmp_path: Path, name: str, kind: Kind, workers: int
) -> None:
    small = {"samples_per_shard": 2} if name in ("webdataset", "parquet") else {}
    items = packed(tmp_path / "pack", name, kind, **small)
    data = open_pack(tmp_path / "pack")
    if not isinstance(data, IterableDataset):
        assert len(data) == CLIPS
        # Handles that are open here must not be used by forked workers.
        assert data[0].clip_id
        assert data[-1].clip_id == data[CLIPS - 1].clip_id
        for number in (CLIPS, -CLIPS - 1):
            with pytest.raises(IndexError):
                data[number]
    loader = DataLoader(data, batch_size=None, num_workers=workers)
    compare([Sample(*sample) for sample in loader_arrays(loader)], items, name)


def loader_arrays(loader: DataLoader[Any]) -> list[tuple[Any, ...]]:
    """Undo torch's turning of arrays into tensors."""
    return [
        (clip_id, {name: np.asarray(array) for name, array in arrays.items()}, label, caption)
        for clip_id, arrays, label, caption in loader
    ]


def test_spawned_workers(tmp_path: Path) -> None:
    maps, items = [], []
    for name, kind in dict(cases()).items():
        packed_items = packed(tmp_path / name, name, kind)
        data = open_pack(tmp_path / name)
        if isinstance(data, IterableDataset):
            found = list(pickle.loads(pickle.dumps(data)))
            compare(found, packed_items, name)
        else:
            assert data[0].clip_id
            maps.append(data)
            items += packed_items
    loader = DataLoader(
        ConcatDataset(maps), batch_size=None, num_workers=1, multiprocessing_context="spawn"
    )
    found = [clip_id for clip_id, *_ in loader]
    assert sorted(found) == sorted(item.clip_id for item in items)


def test_more_workers_than_shards_and_shuffled_shards(tmp_path: Path) -> None:
    packed(tmp_path / "pack", "webdataset", "tokens")
    loader = DataLoader(open_pack(str(tmp_path / "pack")), batch_size=None, num_workers=2)
    assert len({clip_id for clip_id, *_ in loader}) == CLIPS
    shuffled = replace(get_format("webdataset").open(tmp_path / "pack"), shuffled=True)
    assert len(list(PackStream(shuffled))) == CLIPS


def test_what_is_no_pack_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a finished pack"):
        open_pack(tmp_path)
    records = {"format": "zip", "counts": {"entries": 0, "failed": 0}, "links": {}}
    (tmp_path / "provenance.json").write_text(json.dumps(records))
    with pytest.raises(UserError, match="format 'zip' does not exist; allowed are: favd_frames, "):
        open_pack(tmp_path)
