"""trim_shard: from videos to clips, by windows that decoders keep to; no file is cut.

Flows in: shard table, probes and ledger of download_shard. Flows out: a clip table and a ledger.
"""

from __future__ import annotations

from pathlib import Path

from .clips import Clip, write_clips
from .download import Probe, ShardRow, read_probes, read_shard
from .errors import ClipError
from .files import clear_leftovers
from .ledger import LedgerRow, read_ledger, write_ledger
from .results import digest

STAGE = "trim_shard"


def window(row: ShardRow, probe: Probe) -> Clip:
    """Return the clip that a row means.

    Raises:
        ClipError: too_short, for a window that ends before it starts or starts behind the video's end.
    """
    start, end = row.start_seconds, row.end_seconds
    if start is not None and start < 0:
        raise ClipError("too_short", f"start {start:g} s is negative")
    if end is not None and end <= (start or 0):
        raise ClipError("too_short", f"end {end:g} s is not after start {start or 0:g} s")
    if start is not None and 0 < probe.duration_seconds <= start:
        raise ClipError(
            "too_short", f"start {start:g} s is behind the end at {probe.duration_seconds:g} s"
        )
    return Clip(row.clip_id, probe.path, probe.sha256, start, end, row.record)


def trim_shard(
    shard: Path, *, probes: Path, earlier: Path, result: str, output: Path, ledger: Path
) -> list[LedgerRow]:
    """Write the clip table and ledger of a shard.

    Args:
        shard: shard table of the manifest.
        probes: what download_shard found.
        earlier: its ledger.
        result: this stage's result string.
        output: clip table to write.
        ledger: ledger to write.
    """
    clear_leftovers(output, ledger)
    rows = {row.clip_id: row for row in read_shard(shard)}
    clips: list[Clip] = []
    seen = {row.clip_id: row for row in read_ledger(earlier)}
    for probe in read_probes(probes):
        row = rows[probe.clip_id]
        key = digest(result, probe.clip_id, probe.sha256, row.start_seconds, row.end_seconds)
        try:
            clips.append(window(row, probe))
            seen[row.clip_id] = LedgerRow(row.clip_id, STAGE, "ok", key=key)
        except ClipError as error:
            seen[row.clip_id] = LedgerRow(
                row.clip_id, STAGE, "failed", error.failure, error.message, key=key
            )
    write_clips(clips, output)
    write_ledger(seen.values(), ledger)
    return list(seen.values())
