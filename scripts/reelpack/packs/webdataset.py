"""WebDataset shards: tars that `webdataset` streams, one sample per clip.

A sample's members share a key, the clip's id with all but `A-Za-z0-9_~-` written as `%2F`: `{key}.json`
(clip_id, label, label_name, captions, and of frames pts_seconds), then per crop set
`{key}.{crop set}.npy` for tokens and features, or the image files `{key}.{n:04d}.{png|jpg|webp}`, with
the crop set before the number where there are several. Shards are called
`{recipe}-{000000..}.tar`; samples stand in list order.

Settings read: `samples_per_shard` (default 1000) or `shard_bytes`, with which a shard ends behind the
first sample that fills it, so that no clip is ever cut; `image` and `quality` of frames.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reelpack.core.results import canonical
from reelpack.images.files import SUFFIXES, Pictures
from reelpack.packs.access import PackPart
from reelpack.packs.content import ContentFormat
from reelpack.packs.entries import Array, PackContext, PackDamage, PackEntry, StoredEntry
from reelpack.packs.names import make_key

_SHARD = re.compile(r".+-\d{6,}\.tar")
_ABOUT = ("clip_id", "label", "crop_sets")


class WebDatasetTars(ContentFormat):
    """`{recipe}-{number:06d}.tar`."""

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the shards; at least one, which may be empty."""
        with _Shards(folder, context) as shards:
            for entry in entries:
                shards.add(entry)

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield the shards."""
        for path in list_shards(folder):
            yield PackPart(path.name, [path.name], partial(_read_shard, path))

    def open(self, folder: Path) -> SampleStream:
        """Return the samples of the shards, which are streamed."""
        return SampleStream([str(path) for path in list_shards(folder)])


FORMAT = WebDatasetTars()


def list_shards(folder: Path) -> list[Path]:
    """Return a pack's shards in order."""
    return sorted(path for path in folder.glob("*.tar") if _SHARD.fullmatch(path.name))


@dataclass(frozen=True)
class SampleStream:
    """Streams samples by the `webdataset` library; nodes and workers share the shards out among themselves.

    Attributes:
        shards: the tars, for pipelines of one's own.
        shuffled: take them in another order in every round.
    """

    shards: Sequence[str]
    shuffled: bool = False

    def __iter__(self) -> Iterator[Iterable[PackEntry]]:
        import webdataset

        samples = webdataset.WebDataset(
            list(self.shards),
            shardshuffle=len(self.shards) if self.shuffled else False,
            nodesplitter=webdataset.split_by_node,
            workersplitter=webdataset.split_by_worker,
            empty_check=False,
        )
        for sample in samples:
            about = json.loads(sample["json"])
            # The library keeps the order of the members; names of its own begin so.
            names = [name for name in sample if not name.startswith("__") and name != "json"]
            members = [partial(sample.__getitem__, name) for name in names]
            yield [read() for _, read in _list_entries(about, members)]


class _Shards:
    """Writes samples, beginning a new shard when one is full."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._folder = folder
        self._recipe = context.recipe
        self._bytes = FORMAT.get_setting(context, "shard_bytes")
        samples = FORMAT.get_setting(context, "samples_per_shard")
        self._samples = None if self._bytes is not None else int(samples)
        self._suffix = SUFFIXES[FORMAT.get_image(context)[0]]
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
        key = make_key(entry.clip_id)
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


_Members = Sequence[Callable[[], bytes]]


@dataclass(frozen=True)
class _ShardSample:
    """A clip in a shard: its JSON member, and what reads the others in the order in which they lie."""

    key: str
    about: dict[str, Any]
    members: list[Callable[[], bytes]] = field(default_factory=list)


def _list_entries(
    about: dict[str, Any], members: _Members
) -> Iterator[tuple[str, Callable[[], PackEntry]]]:
    """Yield each crop set of a sample, and what reads it.

    Args:
        about: its JSON member.
        members: read the other ones, in the order in which they lie.
    """
    places = iter(members)
    for name, size in about["crop_sets"]:
        own = list(itertools.islice(places, 1 if size is None else size))
        yield name, partial(_read_entry, about, name, size, own)


def _read_entry(about: dict[str, Any], name: str, size: int | None, members: _Members) -> PackEntry:
    if len(members) != (1 if size is None else size):
        raise ValueError("members are missing")
    value: Array | Pictures
    if size is None:
        value = np.load(io.BytesIO(members[0]()), allow_pickle=False)
    else:
        value = Pictures(size, partial(_read_member, members))
    notes = {key: value for key, value in about.items() if key not in _ABOUT}
    return PackEntry(name, about["clip_id"], about["label"], value, notes)


def _read_member(members: _Members, number: int) -> bytes:
    return members[number]()


def _read_shard(path: Path) -> Iterator[PackEntry | PackDamage]:
    with path.open("rb") as stream:
        for sample in _walk(stream):
            for name, read in _list_entries(sample.about, sample.members):
                yield from PackPart(
                    sample.key,
                    [],
                    lambda read=read: [read()],  # type: ignore[misc]
                    name,
                    sample.about["clip_id"],
                ).read_undamaged()


def _read(stream: BinaryIO, place: int, size: int) -> bytes:
    stream.seek(place)
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("the shard ends too early")
    return data


def _walk(stream: BinaryIO) -> Iterator[_ShardSample]:
    """Walk through a shard; only the present clip's places are in memory."""
    tar = tarfile.TarFile(fileobj=stream, mode="r")
    sample: _ShardSample | None = None
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        key, _, ending = member.name.partition(".")
        read = partial(_read, stream, member.offset_data, member.size)
        if ending == "json":
            if sample is not None:
                yield sample
            sample = _ShardSample(key, json.loads(read()))
        elif sample is None or sample.key != key:
            raise ValueError(f"{member.name} belongs to no sample")
        else:
            sample.members.append(read)
    if sample is not None:
        yield sample
    # Cut between two members, or in its end, a tar reads well to the cut.
    records = -(-(tar.offset + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE)
    if stream.seek(0, os.SEEK_END) != records * tarfile.RECORDSIZE:
        raise EOFError("the shard lacks its end")
