"""trim_shard: from videos to clips, by windows that decoders keep to; no file is cut.

Flows in: shard table, probes and ledger of download_shard. Flows out: a clip table and a ledger.
`trim_files` is the way that cuts files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from reelpack.clips.table import Clip, Probe, read_probes, write_clips
from reelpack.core.errors import ClipError
from reelpack.core.files import clear_leftovers
from reelpack.core.results import digest
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.shard_table import ShardRow, read_shard

STAGE = "trim_shard"
WindowMeaning = Literal["cut", "inside"]


def build_clip(row: ShardRow, probe: Probe, *, windows: WindowMeaning = "inside") -> Clip:
    """Return the clip that a row means.

    Args:
        row: the clip's row.
        probe: its video.
        windows: what start and end mean. inside: a part of the file. cut: where the clip was in a
            longer video; they are a part of the file where that is the longer video (`whole` of
            row or probe), elsewhere all of the file is the clip.

    Raises:
        ClipError: too_short, for a window that ends before it starts or starts behind the video's end.
    """
    start, end = row.start_seconds, row.end_seconds
    if windows == "cut" and not (row.whole or probe.whole):
        start = end = None
    if start is not None and start < 0:
        raise ClipError("too_short", f"start {start:g} s is negative")
    if end is not None and end <= (start or 0):
        raise ClipError("too_short", f"end {end:g} s is not after start {start or 0:g} s")
    if start is not None and 0 < probe.duration_seconds <= start:
        raise ClipError(
            "too_short", f"start {start:g} s is behind the end at {probe.duration_seconds:g} s"
        )
    return Clip(row.clip_id, probe.path, probe.sha256, start, end, row.record)


def clip_key(result: str, row: ShardRow, probe: Probe) -> str:
    """Return the journal key of a clip: its video's content and its window."""
    return digest(result, probe.clip_id, probe.sha256, row.start_seconds, row.end_seconds)


def trim_shard(
    shard: Path, probes: Path, job: Job, *, windows: WindowMeaning = "inside"
) -> list[LedgerRow]:
    """Write the clip table and ledger of a shard.

    Args:
        shard: shard table of the manifest.
        probes: what download_shard found.
        job: its output is the clip table; journal, retries and workers are not needed.
        windows: see `build_clip`.
    """
    clear_leftovers(job.output, job.ledger)
    rows = {row.clip_id: row for row in read_shard(shard)}
    clips: list[Clip] = []
    seen = {row.clip_id: row for row in job.read_earlier()}
    for probe in read_probes(probes):
        row = rows[probe.clip_id]
        key = clip_key(job.result, row, probe)
        try:
            clips.append(build_clip(row, probe, windows=windows))
            seen[row.clip_id] = LedgerRow(row.clip_id, STAGE, "ok", key=key)
        except ClipError as error:
            seen[row.clip_id] = LedgerRow(
                row.clip_id, STAGE, "failed", error.failure, error.message, key=key
            )
    write_clips(clips, job.output)
    write_ledger(seen.values(), job.ledger)
    return list(seen.values())
