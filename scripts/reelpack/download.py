"""download_shard: bring every clip's video here, checksum it, and probe it.

Flows in: a shard table of the manifest. Flows out: one `Probe` row per clip whose video can be opened.
Own videos are used where they are, without a copy; others are fetched, see `fetching`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ClipError
from .files import reading, sha256_file, write_bytes
from .journal import Retries
from .ledger import LedgerRow
from .results import canonical, digest
from .stage import Outcome, Stage, Task
from .tables import write_table
from .video.stills import index_clip

if TYPE_CHECKING:
    from .fetching import Plan


@dataclass(frozen=True)
class ShardRow:
    """One row of a shard table; see `manifest.CLIP_COLUMNS`.

    Attributes:
        video: the clip's file below the dataset's video folder, as its list names it.
        path: where the file lies, or will lie once it is fetched.
        fingerprint: a digest of an own file, "" for files that are fetched.
        source_id: the video's id where it comes from, such as a YouTube id.
        url: its address.
        record: its number, from 1, in a file that holds many.
        whole: the file is the longer video that the clip was cut from.
    """

    clip_id: str
    video: str
    path: str
    start_seconds: float | None
    end_seconds: float | None
    label: int | None
    caption: str | None
    fingerprint: str
    label_name: str | None = None
    source_id: str | None = None
    url: str | None = None
    record: int | None = None
    whole: bool | None = None

    def key(self, result: str) -> str:
        """Return the journal key: the video as it was when the list was made."""
        return digest(result, self.clip_id, self.path, self.fingerprint)


@dataclass(frozen=True)
class Probe:
    """What is known of a clip's video without decoding it.

    Attributes:
        width: shown width in pixels, after rotation.
        height: shown height in pixels, after rotation.
        rotation: degrees clockwise that a player turns the stored picture.
        pictures: shown pictures in the video stream.
        whole: the file is the longer video, although the dataset's files hold just their clips.
    """

    clip_id: str
    path: str
    sha256: str
    bytes: int
    codec: str
    width: int
    height: int
    rotation: int
    pictures: int
    duration_seconds: float
    has_audio: bool
    whole: bool = False


PROBE_COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("codec", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("rotation", pa.int32()),
        ("pictures", pa.int64()),
        ("duration_seconds", pa.float64()),
        ("has_audio", pa.bool_()),
        ("whole", pa.bool_()),
    ]
)


def read_shard(path: Path) -> list[ShardRow]:
    """Read a shard table in list order."""
    with reading(path):
        return [ShardRow(**row) for row in pq.read_table(path).to_pylist()]


@lru_cache(maxsize=16)
def _sha256(path: str, fingerprint: str) -> str:  # noqa: ARG001 - a replaced file is another one
    return sha256_file(Path(path))


@lru_cache(maxsize=16)
def _probe(path: str, fingerprint: str, record: int | None) -> Probe:
    """Probe one video; its clips follow one another, so the last few are kept."""
    file = Path(path)
    index = index_clip(file, record)
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


def probe_clip(task: Task) -> None:
    """Write a clip's probe as JSON.

    Raises:
        ClipError: missing, corrupt, no_video or refused.
    """
    row: ShardRow = task.item
    try:
        probe = _probe(row.path, row.fingerprint, row.record)
    except PermissionError as error:
        raise ClipError("missing", f"{row.path}: not readable: {error.strerror}") from error
    write_bytes(task.target, canonical({**asdict(probe), "clip_id": row.clip_id}).encode())


def _assemble(target: Path, clips: Sequence[tuple[str, Path]]) -> None:
    records = [json.loads(path.read_bytes()) for _, path in clips]
    write_table(pd.DataFrame(records, columns=PROBE_COLUMNS.names), PROBE_COLUMNS, target)


def _split(
    folder: Path, rows: Sequence[LedgerRow], wanted: Collection[str]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    records = {probe.clip_id: probe for probe in read_probes(folder / "output.parquet")}
    for row in rows:
        if row.key in wanted and row.clip_id in records:
            yield row.key, [canonical(asdict(records[row.clip_id])).encode()]


def read_probes(path: Path) -> list[Probe]:
    """Read the probes of a shard in list order."""
    with reading(path):
        return [Probe(**row) for row in pq.read_table(path).to_pylist()]


STAGE = Stage(
    name="download_shard",
    work=probe_clip,
    split=_split,
    assemble=_assemble,
    preload=("reelpack.download",),
)


def download_shard(
    shard: Path,
    *,
    result: str,
    retries: Retries,
    journal: Path,
    output: Path,
    ledger: Path,
    workers: int,
    plan: Plan | None = None,
) -> list[LedgerRow]:
    """Fetch and probe a shard's videos; see `Stage.run` for what is written.

    Args:
        shard: shard table of the manifest.
        result: the stage's result string.
        retries: how often failures were to be retried.
        journal: the job's journal folder.
        output: table of probes to write.
        ledger: ledger to write.
        workers: processes that probe.
        plan: where files that are not here come from; None for own videos alone.
    """
    rows = read_shard(shard)
    stage = STAGE if plan is None else replace(STAGE, drive=partial(_fetch_and_probe, plan=plan))
    return stage.run(
        {row.key(result): row for row in rows},
        settings=None,
        journal=journal,
        retries=retries if plan is None else replace(retries, under=plan.digest()),
        output=output,
        ledger=ledger,
        earlier=[LedgerRow(row.clip_id, STAGE.name, "ok") for row in rows],
        workers=workers,
    )


def _fetch_and_probe(tasks: Sequence[Task], workers: int, *, plan: Plan) -> Iterator[Outcome]:
    from .fetching import fetch_clips

    own: list[Task] = []
    others: list[Task] = []
    for task in tasks:
        is_far = not task.item.fingerprint and plan.serves(task.item)
        (others if is_far else own).append(task)
    yield from STAGE.in_workers(own, workers)
    yield from fetch_clips(others, plan, check=partial(STAGE.in_workers, workers=workers))
