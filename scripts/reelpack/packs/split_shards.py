"""The finished clips of a whole split in list order, read from its shards as the list asks for them.

Flows in: the manifest, codes shards or frame shards, and their ledgers. Flows out: entries for a
pack, and the failures. Memory holds the ledgers of the split, and one clip.
"""

from __future__ import annotations

import hashlib
import resource
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import PIL
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.errors import DamagedError, UserError
from reelpack.core.files import reading
from reelpack.encode.codes import CodesShard, clip_bytes
from reelpack.frames.cursor import FrameCursor
from reelpack.images.files import FrameSequence
from reelpack.jobs.ledger import LedgerRow
from reelpack.packs.entries import Array, Entry

_BATCH_ROWS = 65536
_LEDGER_ROWS = 64
# What a pack needs of a ledger; the rest would be most of its size.
_LEDGER_COLUMNS = ["clip_id", "stage", "status", "failure", "message", "digest"]
_REPEATING = ["stage", "status", "failure", "message"]


class SplitShards(ABC):
    """The shards of a split.

    Args:
        folders: where they lie, one folder for each crop set or one for all; each shard has a
            `{shard}.ledger.parquet` in every folder.
        shards: number of shards.

    Raises:
        DamagedError: a shard or a ledger cannot be read.
        UserError: a shard and its ledger do not belong together.
    """

    def __init__(self, folders: Sequence[Path], shards: int) -> None:
        self._shards = [f"{number:05d}" for number in range(shards)]
        self._ledgers = [
            [read_rows(folder / f"{shard}.ledger.parquet") for folder in folders]
            for shard in self._shards
        ]

    @property
    @abstractmethod
    def made_with(self) -> list[dict[str, str]]:
        """What the content was made with; one entry unless shards differ."""

    @abstractmethod
    def _values(self, shard: int, rows: Sequence[LedgerRow]) -> Sequence[Array | FrameSequence]:
        """Take the shard's next clip, one value per crop set; `rows` is one per ledger.

        Raises:
            DamagedError: it is not the clip that the ledgers hold the checksum of.
        """

    @abstractmethod
    def _finish(self) -> None:
        """See that no shard holds more than was taken."""

    def failures(self, manifest: Path) -> Iterator[dict[str, Any]]:
        """Yield the failed clips with their place in the list, in list order.

        Raises:
            UserError: shards and manifest do not belong together.
        """
        for order, clip, rows in self._walk(manifest):
            failed = next((row for row in rows if not row.ok), None)
            if failed is not None:
                yield {
                    "clip_id": clip["clip_id"],
                    "order": order,
                    "stage": failed.stage,
                    "class": failed.failure,
                    "message": failed.message,
                }

    def entries(self, manifest: Path, names: Sequence[str]) -> Iterator[Entry]:
        """Yield the finished clips in list order.

        Args:
            manifest: `manifest.parquet`.
            names: names of the crop sets.

        Raises:
            DamagedError: content is not that which the ledger holds the checksum of.
            UserError: shards and manifest do not belong together.
        """
        for order, clip, rows in self._walk(manifest):
            values = self._values(clip["shard"], rows)
            if all(row.ok for row in rows):
                yield Entry(
                    clip["clip_id"],
                    order,
                    clip["label"],
                    clip["caption"],
                    dict(zip(names, values, strict=True)),
                    label_name=clip["label_name"],
                    captions=tuple(clip["captions"] or ()),
                    video=clip["video"],
                )
        self._finish()

    def _walk(self, manifest: Path) -> Iterator[tuple[int, dict[str, Any], tuple[LedgerRow, ...]]]:
        """Yield the clips in list order with their places and ledger rows."""
        ledgers = [
            zip(*(_rows(ledger) for ledger in of_shard), strict=True) for of_shard in self._ledgers
        ]
        for order, clip in enumerate(read_manifest(manifest)):
            known = clip["shard"] < len(ledgers)
            rows = next(ledgers[clip["shard"]], None) if known else None
            if rows is None or any(row.clip_id != clip["clip_id"] for row in rows):
                raise self._other_list(manifest, clip["shard"])
            yield order, clip, rows
        for shard, rest in enumerate(ledgers):
            if next(rest, None) is not None:
                raise self._other_list(manifest, shard)

    def _other_list(self, manifest: Path, shard: int) -> UserError:
        return UserError(f"{manifest}: shard {shard:05d} was made from another list")


class SplitCodes(SplitShards):
    """The tokens or features of a split; `folder` holds `{shard}.safetensors`."""

    def __init__(self, folder: Path, shards: int) -> None:
        _allow_open_files(shards)
        super().__init__([folder], shards)
        self._paths = [folder / f"{shard}.safetensors" for shard in self._shards]
        self._codes = [CodesShard(path) for path in self._paths]
        self._taken = [0] * shards
        for shard, codes, (ledger,) in zip(self._shards, self._codes, self._ledgers, strict=True):
            if len(codes) != ledger["status"].to_pylist().count("ok"):
                raise UserError(f"{folder / shard}: codes and ledger do not belong together")

    @property
    def made_with(self) -> list[dict[str, str]]:
        """Device, versions and weights."""
        seen = {tuple(sorted(shard.made_with.items())) for shard in self._codes}
        return [dict(items) for items in sorted(seen)]

    def _values(self, shard: int, rows: Sequence[LedgerRow]) -> Sequence[Array]:
        (row,) = rows
        if not row.ok:
            return []
        tokens = self._codes[shard].clip(self._taken[shard])
        self._taken[shard] += 1
        if hashlib.sha256(clip_bytes(tokens)).hexdigest() != row.digest:
            raise DamagedError(str(self._paths[shard]), f"tokens of {row.clip_id} changed")
        return tokens

    def _finish(self) -> None:
        """Nothing is left: the constructor has counted."""


class SplitFrames(SplitShards):
    """The frames of a split; each folder holds the `{shard}.tar` of one crop set, or of all of them."""

    def __init__(self, folders: Sequence[Path], shards: int) -> None:
        super().__init__(folders, shards)
        for shard, ledgers in zip(self._shards, self._ledgers, strict=True):
            if len({len(ledger) for ledger in ledgers}) != 1:
                places = ", ".join(str(folder / shard) for folder in folders)
                raise UserError(f"{places}: these crop sets do not belong together")
        self._cursors = [
            [FrameCursor(folder / f"{shard}.tar") for folder in folders] for shard in self._shards
        ]

    @property
    def made_with(self) -> list[dict[str, str]]:
        """The library that writes JPEG and WebP files, and the FFmpeg that frames come from.

        Other versions may give other bytes; all environments have the same.
        """
        return [{"pillow": PIL.__version__, "ffmpeg": av.ffmpeg_version_info}]

    def _values(self, shard: int, rows: Sequence[LedgerRow]) -> Sequence[FrameSequence]:
        found: list[FrameSequence] = []
        for cursor, row in zip(self._cursors[shard], rows, strict=True):
            # Passed over where the clip failed in another crop set.
            if row.ok:
                frames = cursor.take(row.clip_id)
                if frames.sha256() != row.digest:
                    raise DamagedError(str(cursor.path), f"frames of {row.clip_id} changed")
                found += frames.crop_sets()
        return found

    def _finish(self) -> None:
        for of_shard in self._cursors:
            for cursor in of_shard:
                cursor.check_done()


def read_rows(path: Path) -> pa.Table:
    """Read what a pack needs of a ledger."""
    with reading(path):
        return pq.read_table(path, columns=_LEDGER_COLUMNS, read_dictionary=_REPEATING)


def _rows(ledger: pa.Table) -> Iterator[LedgerRow]:
    # All shards are walked at once, so each gives few rows at a time.
    for batch in ledger.to_batches(_LEDGER_ROWS):
        for row in batch.to_pylist():
            yield LedgerRow(**row)


def read_manifest(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest in list order."""
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, soft), hard))
