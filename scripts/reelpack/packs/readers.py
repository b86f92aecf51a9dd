"""Packs as torch datasets: `open_pack(folder)` for any format.

Every dataset gives `Sample`s, one per clip of the pack and each exactly once, whatever the number of
a `DataLoader`'s workers, forked or spawned. All are map-style but that of `webdataset`, which streams
its shards. Clips differ in length, so use `batch_size=None` or an own `collate_fn`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from reelpack.images.files import Pictures, decode_picture
from reelpack.packs.access import Clips
from reelpack.packs.entries import AUDIO, Array, PackEntry
from reelpack.packs.publish import read_provenance

__all__ = ["PackDataset", "PackStream", "Sample", "open_pack"]


class Sample(NamedTuple):
    """One clip of a pack.

    Attributes:
        clip_id: its id.
        arrays: crop set to tokens or features as the pack holds them, or frames uint8[T, H, W, 3];
            `audio`, where the pack has sound, is an mp3 file's bytes, uint8[n].
        label: class number, None where the pack has none.
        caption: the first of its captions, None where the pack has none.
    """

    clip_id: str
    arrays: dict[str, Array]
    label: int | None
    caption: str | None


class PackDataset(Dataset[Sample]):
    """The clips of a pack by number, in the order in which the pack keeps them."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Sample:
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        return _make_sample(self._clips.read(number))


class PackStream(IterableDataset[Sample]):
    """The clips of a pack that can only be streamed; nodes and workers share its shards.

    A worker reads whole shards, so more workers than shards are of no use.

    Attributes:
        clips: what streams them.
    """

    def __init__(self, clips: Iterable[Iterable[PackEntry]]) -> None:
        self.clips = clips

    def __iter__(self) -> Iterator[Sample]:
        return map(_make_sample, self.clips)


def open_pack(folder: str | os.PathLike[str]) -> Dataset[Any]:
    """Return a pack as a dataset of `Sample`s; an `IterableDataset` for `webdataset`.

    Args:
        folder: the pack, with its `provenance.json`.

    Raises:
        UserError: the folder is not a finished pack, or its format is not known here.
    """
    folder = Path(folder)
    pack_format, _ = read_provenance(folder)
    clips = pack_format.open(folder)
    return PackDataset(clips) if isinstance(clips, Clips) else PackStream(clips)


def _make_sample(entries: Iterable[PackEntry]) -> Sample:
    """Return what a pack holds of one clip, read from all its crop sets."""
    found = list(entries)
    arrays = {entry.variant: _load(entry) for entry in found}
    captions = found[0].notes.get("captions", [])
    caption = captions[0] if captions else None
    return Sample(found[0].clip_id, arrays, found[0].label, caption)


def _load(entry: PackEntry) -> Array:
    """Return an array as one's own, which torch asks for, and image files as uint8[T, H, W, 3]."""
    value = entry.array
    if not isinstance(value, Pictures):
        return value if value.flags.writeable else value.copy()
    if entry.variant == AUDIO:
        return np.frombuffer(bytearray(value[0]), np.uint8)
    return np.stack([decode_picture(data) for data in value])
