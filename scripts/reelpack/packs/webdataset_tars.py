"""WebDataset shards: tars that `webdataset` streams, one sample per clip.

A sample's members share a key, the clip's id with all but `A-Za-z0-9_~-` written as `%2F`: `{key}.json`
(clip_id, label, label_name, captions, and of frames pts_seconds), then per crop set
`{key}.{crop set}.npy` for tokens and features, or the pictures `{key}.{n:04d}.{png|jpg|webp}`, with
the crop set before the number where there are several. Shards are called
`{recipe}-{000000..}.tar`; samples stand in list order.

Settings read: `samples_per_shard` (default 1000) or `shard_bytes`, with which a shard ends behind the
first sample that fills it, so that no clip is ever cut; `image` and `quality` of frames.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reelpack.core.results import canonical
from reelpack.images.files import SUFFIXES, Pictures
from reelpack.packs.base import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
)
from reelpack.packs.content import check_content, stored_content
from reelpack.packs.names import safe_key

SAMPLES_PER_SHARD = 1000
_SHARD = re.compile(r".+-\d{6,}\.tar")
_ABOUT = ("clip_id", "label")


class WebDatasetTars(PackFormat):
    """`{recipe}-{number:06d}.tar`."""

    name = "webdataset"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when there is no crop set, or no such kind of picture."""
        check_content(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return arrays as they are, and frames as the pictures that the recipe asks for.

        Raises:
            ClipError: the clip has no frames, or they are too large for such pictures.
        """
        return stored_content(entry, context, what=self.name)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write the shards; at least one, which may be empty."""
        del failed_ids
        with _Shards(folder, context) as shards:
            for entry in entries:
                shards.add(entry)

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every sample of every shard."""
        for path in shard_paths(folder):
            if path.name in damaged:
                yield PackDamage(f"{path.name}: not read again, it is damaged")
                continue
            try:
                with path.open("rb") as stream:
                    for sample in _samples(stream):
                        yield from sample.entries(stream)
            except (OSError, ValueError, KeyError, EOFError, tarfile.TarError) as error:
                yield PackDamage(f"{path.name}: {error}")


def shard_paths(folder: Path) -> list[Path]:
    """Return a pack's shards in order."""
    return sorted(path for path in folder.glob("*.tar") if _SHARD.fullmatch(path.name))


class _Shards:
    """Writes samples, beginning a new shard when one is full."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._folder = folder
        self._recipe = context.recipe
        self._bytes = context.settings.get("shard_bytes")
        samples = context.settings.get("samples_per_shard", SAMPLES_PER_SHARD)
        self._samples = None if self._bytes is not None else int(samples)
        self._suffix = SUFFIXES[context.settings.get("image", "png")]
        self._several = len(context.variants) > 1
        self._shard = -1

    def __enter__(self) -> _Shards:
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        self._tar.close()

    def _begin(self) -> None:
        self._shard += 1
        self._count = 0
        path = self._folder / f"{self._recipe}-{self._shard:06d}.tar"
        self._tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def add(self, entry: StoredEntry) -> None:
        """Write a clip."""
        if self._full():
            self._tar.close()
            self._begin()
        self._count += 1
        key = safe_key(entry.clip_id)
        about = {"clip_id": entry.clip_id, "label": entry.label, **entry.notes}
        about["crop_sets"] = [
            [name, len(value) if isinstance(value, Pictures) else None]
            for name, value in entry.arrays.items()
        ]
        self._member(f"{key}.json", canonical(about).encode())
        for name, value in entry.arrays.items():
            if isinstance(value, Pictures):
                infix = f"{name}." if self._several else ""
                for number, data in enumerate(value):
                    self._member(f"{key}.{infix}{number:04d}.{self._suffix}", data)
            else:
                self._member(f"{key}.{name}.npy", _npy(value))

    def _full(self) -> bool:
        if self._bytes is not None:
            return self._count > 0 and self._tar.offset >= self._bytes
        return self._count == self._samples

    def _member(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))
        # The list would hold every member of the shard.
        self._tar.members.clear()  # type: ignore[attr-defined]


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@dataclass
class _Sample:
    """The members of one clip: (place, size) in the order in which they lie."""

    key: str
    about: dict[str, Any] = field(default_factory=dict)
    members: list[tuple[int, int]] = field(default_factory=list)

    def entries(self, stream: BinaryIO) -> Iterator[PackEntry | PackDamage]:
        """Yield what the sample holds of each crop set."""
        about = dict(self.about)
        clip_id, label = (about.pop(name) for name in _ABOUT)
        sizes: list[tuple[str, int | None]] = about.pop("crop_sets")
        places = iter(self.members)
        for name, size in sizes:
            count = 1 if size is None else size
            own = [place for _, place in zip(range(count), places, strict=False)]
            value: Array | Pictures
            try:
                if len(own) != count:
                    raise ValueError("members are missing")
                if size is None:
                    value = np.load(io.BytesIO(_read(stream, *own[0])), allow_pickle=False)
                else:
                    value = Pictures(size, partial(_read_member, stream, own))
            except (ValueError, EOFError) as error:
                yield PackDamage(f"{self.key}: {error}", name, clip_id)
                continue
            yield PackEntry(name, clip_id, label, value, about)


def _read_member(stream: BinaryIO, places: Sequence[tuple[int, int]], number: int) -> bytes:
    return _read(stream, *places[number])


def _read(stream: BinaryIO, place: int, size: int) -> bytes:
    stream.seek(place)
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the shard ends too early")
    return data


def _samples(stream: BinaryIO) -> Iterator[_Sample]:
    """Walk through a shard; only the present clip's places are in memory."""
    tar = tarfile.TarFile(fileobj=stream, mode="r")
    sample: _Sample | None = None
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        key, _, ending = member.name.partition(".")
        if ending == "json":
            if sample is not None:
                yield sample
            about = json.loads(_read(stream, member.offset_data, member.size))
            sample = _Sample(key, about)
        elif sample is None or sample.key != key:
            raise ValueError(f"{member.name} belongs to no sample")
        else:
            sample.members.append((member.offset_data, member.size))
    if sample is not None:
        yield sample
    # Cut between two members, or in its end, a tar reads well to the cut.
    records = -(-(tar.offset + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE)
    if stream.seek(0, os.SEEK_END) != records * tarfile.RECORDSIZE:
        raise EOFError("the shard lacks its end")
