"""The files of a dataset against its lists: missing, empty, unreadable, of another length, not listed.

Every file that is listed and here is probed: its packets are read, no frame is decoded.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from reelpack.config.suffixes import VIDEO_SUFFIXES
from reelpack.core.errors import ClipError
from reelpack.jobs.pool import run_clips
from reelpack.lists.folders import walk_files
from reelpack.lists.shard_table import ShardRow, read_shard
from reelpack.report.asked import AuditRequest
from reelpack.video.stills import index_clip

Problem = Literal["missing", "empty", "unreadable", "duration", "unlisted"]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
# Annotations are in whole seconds at best, and streams of one file end at different times.
TOLERANCE_SECONDS = 0.5
_GROUP = 1024
_FOLDER = -1


@dataclass(frozen=True)
class Finding:
    """One clip, or one file that nobody listed, with something wrong about it.

    Attributes:
        split, clip_id: "" for a file that nobody listed.
    """

    problem: Problem
    split: str
    clip_id: str
    path: str
    message: str


@dataclass
class FileAudit:
    """What was found.

    Attributes:
        listed: files that the lists name.
        here: those of them that are here.
        waiting: files that are not here, and that some source may still bring.
        findings: by problem, clips in the order of splits and shards, then files in the order of names.
    """

    listed: int = 0
    here: int = 0
    waiting: int = 0
    findings: dict[Problem, list[Finding]] = field(
        default_factory=lambda: {problem: [] for problem in PROBLEMS}
    )

    def add(self, finding: Finding) -> None:
        """Note a finding under its problem."""
        self.findings[finding.problem].append(finding)


@dataclass(frozen=True)
class _Clip:
    split: str
    row: ShardRow
    is_fetched: bool


@dataclass(frozen=True)
class _Probe:
    """A file, or a record of one, to be looked into; the worker writes its seconds to `target`."""

    path: str
    record: int | None
    target: Path


def audit_files(results: Path, asked: AuditRequest, *, workers: int) -> FileAudit:
    """Look at every file of a dataset.

    Args:
        results: `results/{dataset}` with its shard tables.
        asked: what there should be.
        workers: processes that probe.
    """
    audit = FileAudit()
    clips = _read_clips(results, asked)
    sizes = _find_sizes(clips)
    audit.listed = len(sizes)
    audit.here = sum(size is not None for size in sizes.values())
    good: list[_Clip] = []
    waiting: set[str] = set()
    for clip in clips:
        finding = _check_size(clip, sizes[clip.row.path])
        if finding is not None:
            audit.add(finding)
        elif sizes[clip.row.path] is None:
            waiting.add(clip.row.path)
        else:
            good.append(clip)
    audit.waiting = len(waiting)
    for finding in _probe_clips(good, windows=asked.windows, workers=workers):
        audit.add(finding)
    for path in _find_unlisted(sizes, asked.folders):
        audit.add(Finding("unlisted", "", "", path, "in no list of a split that is built"))
    return audit


def _read_clips(results: Path, asked: AuditRequest) -> list[_Clip]:
    return [
        _Clip(name, row, split.is_fetched and (bool(asked.folders) or bool(row.url)))
        for name, split in asked.splits.items()
        for table in sorted((results / name / "shards").glob("*.parquet"))[: split.shards]
        for row in read_shard(table)
    ]


def _find_sizes(clips: Iterable[_Clip]) -> dict[str, int | None]:
    """Return the size of every file in bytes, None where there is none, `_FOLDER` for a folder."""
    paths = list(dict.fromkeys(clip.row.path for clip in clips))
    groups = [paths[start : start + _GROUP] for start in range(0, len(paths), _GROUP)]
    # Threads, since file systems over a network are slow to answer.
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda group: [_find_size(path) for path in group], groups)
        return dict(zip(paths, [size for group in found for size in group], strict=True))


def _find_size(path: str) -> int | None:
    try:
        file = Path(path)
        return _FOLDER if file.is_dir() else file.stat().st_size
    except (OSError, ValueError):
        return None


def _check_size(clip: _Clip, size: int | None) -> Finding | None:
    """Return what is wrong with a clip's file before it is opened."""
    row = clip.row
    if size is None and not clip.is_fetched:
        return Finding("missing", clip.split, row.clip_id, row.path, "no such file")
    if size == _FOLDER:
        return Finding("unreadable", clip.split, row.clip_id, row.path, "a folder, not a file")
    if size == 0:
        return Finding("empty", clip.split, row.clip_id, row.path, "0 bytes")
    return None


def _probe_clips(clips: Sequence[_Clip], *, windows: str, workers: int) -> Iterator[Finding]:
    """Yield what is wrong inside of files that are here, in the order of the clips."""
    seconds: dict[tuple[str, int | None], float | ClipError] = {}
    with tempfile.TemporaryDirectory() as folder:
        places = dict.fromkeys((clip.row.path, clip.row.record) for clip in clips)
        tasks = [
            _Probe(path, record, Path(folder) / str(number))
            for number, (path, record) in enumerate(places)
        ]
        for task, error in run_clips(_probe, tasks, workers=workers, preload=[__name__]):
            seconds[task.path, task.record] = error or json.loads(task.target.read_bytes())
            task.target.unlink(missing_ok=True)
    for clip in clips:
        found = seconds[clip.row.path, clip.row.record]
        place = clip.split, clip.row.clip_id, clip.row.path
        if isinstance(found, ClipError):
            yield Finding("unreadable", *place, str(found))
        elif message := compare_length(clip.row, found, windows=windows):
            yield Finding("duration", *place, message)


def _probe(task: _Probe) -> None:
    try:
        seconds = index_clip(Path(task.path), task.record).duration_seconds
    except PermissionError as error:
        raise ClipError("missing", f"{task.path}: not readable: {error.strerror}") from error
    task.target.write_text(json.dumps(seconds))


def compare_length(row: ShardRow, duration_seconds: float, *, windows: str) -> str:
    """Return how a file's length contradicts its clip's window, "" when it does not.

    Args:
        row: the clip.
        duration_seconds: the file's own length; 0 for a picture, which fits any window.
        windows: see `AuditRequest`.
    """
    start, end = row.start_seconds or 0.0, row.end_seconds
    if not duration_seconds or (row.start_seconds is None and end is None):
        return ""
    if windows == "cut" and not row.whole:
        if end is None or abs(duration_seconds - (end - start)) <= TOLERANCE_SECONDS:
            return ""
        return f"lasts {duration_seconds:.2f} s; {end - start:g} s are listed"
    if start >= duration_seconds:
        return f"lasts {duration_seconds:.2f} s; the clip is listed to start at {start:g} s"
    if end is not None and end > duration_seconds + TOLERANCE_SECONDS:
        return f"lasts {duration_seconds:.2f} s; the clip is listed to end at {end:g} s"
    return ""


def _find_unlisted(listed: Iterable[str], folders: Sequence[str]) -> list[str]:
    """Return files of the kinds that are listed, and all videos, that no clip names.

    Without folders it is looked in those of the listed files, and not below them.
    """
    known = {os.path.normpath(path) for path in listed}
    endings = VIDEO_SUFFIXES | {Path(path).suffix.lower() for path in known}
    roots = [Path(folder) for folder in folders if Path(folder).is_dir()]
    found = [entry.path for root in roots for entry in walk_files(root)]
    if not folders:
        for parent in sorted({os.path.dirname(path) for path in known}):  # noqa: PTH120
            found += _list_files(Path(parent))
    names = {os.path.normpath(path) for path in found}
    return sorted(n for n in names - known if Path(n).suffix.lower() in endings)


def _list_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [e.path for e in entries if not e.name.startswith(".") and e.is_file()]
