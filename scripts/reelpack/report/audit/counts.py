"""How many clips of a split are published, listed, obtained, failed and missing.

A ledger may be older than the list: only clips that are listed today, in the shard where they are
listed today, count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelpack.core.files import reading
from reelpack.report.audit.asked import AskedSplit


@dataclass
class SplitCounts:
    """What became of the clips of a split.

    Attributes:
        published: as its card says, None where it does not.
        listed: rows of its manifest, None while there is none.
        obtained: clips whose file is here and can be opened.
        failed: the others that were tried, by class.
        shards: how many shards it has.
        tried: how many of them have a ledger.
    """

    published: int | None
    listed: int | None
    obtained: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    shards: int = 0
    tried: int = 0

    @property
    def missing(self) -> int | None:
        """Clips that are listed, and neither obtained nor failed: not tried so far."""
        return None if self.listed is None else self.listed - self.obtained - self.failed.total()


def count_split(folder: Path, asked: AskedSplit) -> SplitCounts:
    """Count the clips of a split.

    Args:
        folder: `results/{dataset}/{split}`; it need not exist.
        asked: what there should be.

    Raises:
        DamagedError: a manifest or ledger that cannot be read.
    """
    counts = SplitCounts(asked.published, None, shards=asked.shards)
    manifest = folder / "manifest.parquet"
    if not manifest.exists():
        return counts
    with reading(manifest):
        listed = pq.read_table(manifest, columns=["clip_id", "shard"]).combine_chunks()
    counts.listed = len(listed)
    order = np.argsort(listed["shard"].to_numpy(), kind="stable")
    numbers = listed["shard"].to_numpy()[order]
    ids = listed["clip_id"].take(pa.array(order))
    for shard in range(asked.shards):
        ledger = folder / "downloads" / f"{shard:05d}.ledger.parquet"
        if ledger.exists():
            counts.tried += 1
            start, end = np.searchsorted(numbers, [shard, shard + 1])
            _add(counts, ledger, ids.slice(start, end - start))
    return counts


def _add(counts: SplitCounts, ledger: Path, ids: pa.ChunkedArray) -> None:
    with reading(ledger):
        rows = pq.read_table(ledger, columns=["clip_id", "status", "failure"])
    rows = rows.filter(pc.is_in(rows["clip_id"], value_set=ids.combine_chunks()))
    bad = rows.filter(pc.not_equal(rows["status"], "ok"))
    counts.obtained += len(rows) - len(bad)
    counts.failed.update(bad["failure"].to_pylist())
