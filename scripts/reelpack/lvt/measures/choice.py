"""Which clips of a split are looked at: evenly spaced in list order, whatever shards they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelpack.core.errors import UserError
from reelpack.core.evenly import evenly
from reelpack.core.files import reading

_BATCH_ROWS = 65536


@dataclass(frozen=True)
class ChosenClip:
    """A finished clip.

    Attributes:
        shard: the number of its shard.
        number: its place among the clips of the codes shard.
    """

    clip_id: str
    shard: int
    number: int


def choose_clips(
    manifest: Path, ledgers: Sequence[Path], most: int
) -> tuple[list[ChosenClip], int]:
    """Choose among the finished clips of a split; memory holds a byte per clip of it.

    Args:
        manifest: `manifest.parquet`, which gives the order.
        ledgers: the encoding's ledger of each shard.
        most: how many to choose.

    Returns:
        The chosen clips in list order, and how many finished clips there are.

    Raises:
        DamagedError: manifest or ledger cannot be read.
        UserError: they do not belong together.
    """
    finished = [_read_finished(path) for path in ledgers]
    total = sum(int(of_shard.sum()) for of_shard in finished)
    wanted = set(evenly(range(total), most))
    rows = enumerate(_walk(manifest, ledgers, finished))
    chosen = [clip for rank, clip in rows if rank in wanted]
    for clip in chosen:
        _check_name(clip, manifest, ledgers[clip.shard])
    return chosen, total


def _read_finished(ledger: Path) -> NDArray[np.bool_]:
    with reading(ledger):
        status = pq.read_table(ledger, columns=["status"])["status"]
        found: NDArray[np.bool_] = pc.equal(status, "ok").to_numpy()
        return found


def _walk(
    manifest: Path, ledgers: Sequence[Path], finished: Sequence[NDArray[np.bool_]]
) -> Iterator[ChosenClip]:
    """Yield the finished clips in list order: a ledger has its shard's clips in that order too."""
    rows, taken = [0] * len(ledgers), [0] * len(ledgers)
    with reading(manifest), pq.ParquetFile(manifest) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=["clip_id", "shard"]):
            clips = zip(*(batch.column(name).to_pylist() for name in (0, 1)), strict=True)
            for clip_id, shard in clips:
                if shard >= len(ledgers) or rows[shard] == len(finished[shard]):
                    raise _name_other_list(manifest, shard)
                if finished[shard][rows[shard]]:
                    yield ChosenClip(clip_id, shard, taken[shard])
                    taken[shard] += 1
                rows[shard] += 1
    for shard, count in enumerate(rows):
        if count != len(finished[shard]):
            raise _name_other_list(manifest, shard)


def _check_name(clip: ChosenClip, manifest: Path, ledger: Path) -> None:
    with reading(ledger):
        rows = pq.read_table(ledger, columns=["clip_id"], filters=[("status", "==", "ok")])
    if rows["clip_id"][clip.number].as_py() != clip.clip_id:
        raise _name_other_list(manifest, clip.shard)


def _name_other_list(manifest: Path, shard: int) -> UserError:
    return UserError(f"{manifest}: shard {shard:05d} was made from another list")
