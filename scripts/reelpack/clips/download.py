"""download_shard: bring every clip's video here, checksum it, and probe it.

Flows in: a shard table of the manifest. Flows out: one `Probe` row per clip whose video can be opened.
Own videos are used where they are, without a copy; others are fetched, see `sources.fetching`.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from reelpack.clips.table import Probe, read_probes, write_probes
from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file, write_bytes
from reelpack.core.results import canonical
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow
from reelpack.jobs.stage import Outcome, Stage, Task
from reelpack.lists.shard_table import ShardRow, read_shard
from reelpack.video.source import MAX_FRAME_PIXELS, check_size
from reelpack.video.stills import index_clip

if TYPE_CHECKING:
    from reelpack.sources.fetching import FetchPlan


@lru_cache(maxsize=16)
def _sha256(path: str, fingerprint: str) -> str:  # noqa: ARG001 - a replaced file is another one
    return sha256_file(Path(path))


@lru_cache(maxsize=16)
def _probe(path: str, fingerprint: str, record: int | None, frame_pixels: int) -> Probe:
    """Probe one video; its clips follow one another, so the last few are kept."""
    file = Path(path)
    index = index_clip(file, record)
    check_size(file, index.width, index.height, frame_pixels)
    return Probe(
        clip_id="",
        path=path,
        sha256=_sha256(path, fingerprint),
        bytes=file.stat().st_size,
        codec=index.codec,
        width=index.display_width,
        height=index.display_height,
        rotation=index.rotation,
        pictures=len(index.pts),
        duration_seconds=index.duration_seconds,
        has_audio=index.has_audio,
    )


@dataclass(frozen=True)
class VideoLimits:
    """What videos may ask of the machine.

    Attributes:
        frame_pixels: pixels of the largest frame.
    """

    frame_pixels: int = MAX_FRAME_PIXELS


def probe_clip(task: Task) -> None:
    """Write a clip's probe as JSON.

    Raises:
        ClipError: missing, corrupt, no_video or refused.
    """
    row: ShardRow = task.item
    try:
        limit = MAX_FRAME_PIXELS if task.settings is None else task.settings.frame_pixels
        probe = _probe(row.path, row.fingerprint, row.record, limit)
    except PermissionError as error:
        if error.errno != errno.EACCES:
            raise
        raise ClipError("missing", f"{row.path}: not readable: {error.strerror}") from error
    write_bytes(task.target, canonical({**asdict(probe), "clip_id": row.clip_id}).encode())


def _assemble(target: Path, clips: Sequence[tuple[str, Path]]) -> None:
    write_probes((Probe(**json.loads(path.read_bytes())) for _, path in clips), target)


def _split(
    folder: Path, rows: Sequence[LedgerRow], wanted: Collection[str]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    records = {probe.clip_id: probe for probe in read_probes(folder / "output.parquet")}
    for row in rows:
        if row.key in wanted and row.clip_id in records:
            yield row.key, [canonical(asdict(records[row.clip_id])).encode()]


STAGE = Stage(
    name="download_shard",
    work=probe_clip,
    split=_split,
    assemble=_assemble,
    preload=("reelpack.clips.download",),
    failure="corrupt",
)


def download_shard(
    shard: Path, job: Job, *, plan: FetchPlan | None = None, limits: VideoLimits | None = None
) -> list[LedgerRow]:
    """Fetch and probe a shard's videos; see `Stage.run` for what is written.

    Args:
        shard: shard table of the manifest.
        job: its output is the table of probes.
        plan: where files that are not here come from; None for own videos alone.
        limits: a video beyond them is refused.
    """
    rows = read_shard(shard)
    stage = STAGE
    if plan is not None:
        stage = replace(STAGE, drive=partial(_fetch_and_probe, plan=plan))
        job = replace(job, retries=replace(job.retries, under=plan.digest()))
    return stage.run(
        {row.key(job.result): row for row in rows},
        job,
        earlier=[LedgerRow(row.clip_id, STAGE.name, "ok") for row in rows],
        settings=limits or VideoLimits(),
    )


def _fetch_and_probe(tasks: Sequence[Task], workers: int, *, plan: FetchPlan) -> Iterator[Outcome]:
    from reelpack.sources.fetching import fetch_clips

    own: list[Task] = []
    others: list[Task] = []
    for task in tasks:
        is_far = not task.item.fingerprint and plan.serves(task.item)
        (others if is_far else own).append(task)
    yield from STAGE.in_workers(own, workers)
    yield from fetch_clips(others, plan, check=partial(STAGE.in_workers, workers=workers))
