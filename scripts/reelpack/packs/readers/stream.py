"""Reader of WebDataset shards, by the `webdataset` library."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import webdataset
from torch.utils.data import IterableDataset

from reelpack.images.files import decode_picture
from reelpack.packs.base import Array
from reelpack.packs.readers.base import Sample
from reelpack.packs.webdataset_tars import shard_paths


class WebDatasetPack(IterableDataset[Sample]):
    """The samples of a `webdataset` pack; nodes and workers share the shards out among themselves.

    A worker reads whole shards, so more workers than shards are of no use.

    Attributes:
        shards: the tars, for pipelines of one's own.
    """

    def __init__(self, folder: Path, *, shuffled_shards: bool = False) -> None:
        """Find the shards.

        Args:
            folder: the pack.
            shuffled_shards: take the shards in another order in every epoch.
        """
        self.shards = [str(path) for path in shard_paths(folder)]
        self._shuffled = shuffled_shards

    def __iter__(self) -> Iterator[Sample]:
        samples = webdataset.WebDataset(
            self.shards,
            shardshuffle=len(self.shards) if self._shuffled else False,
            nodesplitter=webdataset.split_by_node,
            workersplitter=webdataset.split_by_worker,
            empty_check=False,
        )
        for sample in samples:
            yield parse(sample)


def parse(sample: Mapping[str, Any]) -> Sample:
    """Return one sample, members by name as `webdataset` gives them, decoded."""
    about = json.loads(sample["json"])
    pictures = [
        name for name in sorted(sample) if name.rpartition(".")[2] in ("png", "jpg", "webp")
    ]
    arrays: dict[str, Array] = {}
    for crop_set, size in about["crop_sets"]:
        if size is None:
            data = io.BytesIO(sample[f"{crop_set}.npy"])
            arrays[crop_set] = np.load(data, allow_pickle=False)
        else:
            own = pictures
            if len(about["crop_sets"]) > 1:
                own = [name for name in pictures if name.startswith(f"{crop_set}.")]
            own = sorted(own, key=lambda name: int(name.split(".")[-2]))
            arrays[crop_set] = np.stack([decode_picture(sample[name]) for name in own])
    captions = about["captions"]
    return Sample(about["clip_id"], arrays, about["label"], captions[0] if captions else None)
