"""The files of a shard's clips, from the first of a dataset's sources that has them.

Flows in: rows of a shard table whose files are to be fetched, and the sources in order. Flows out: the
files under their final names, or per clip the reason why none of the sources has it. Every source gets
all clips that are still open, so that it can fetch them side by side; a file that a source brought and
that proves not to be a video is removed, and the next source is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from reelpack.core.errors import TRANSIENT_CLASSES, ClipError
from reelpack.core.files import link_or_copy
from reelpack.core.results import digest
from reelpack.jobs.stage import Outcome, Task
from reelpack.lists.adapters.naming import format_source_names
from reelpack.lists.shard_table import ShardRow
from reelpack.sources.archives import ArchiveIndex
from reelpack.sources.base import Fetched, Limits
from reelpack.sources.breaker import Breaker
from reelpack.sources.downloader import Download, fetch_many
from reelpack.sources.options import read_limits

YOUTUBE_OPTIONS = "youtube"
REFUSALS = "refusals"
Checked = Callable[[Sequence[Task]], Iterable[Outcome]]
Answer = tuple[Path, "Fetched | ClipError"]


@dataclass(frozen=True)
class Wanted:
    """One file that is to be fetched, for one clip or several.

    Attributes:
        path: where it goes.
        row: the first clip that needs it.
    """

    path: Path
    row: ShardRow


@dataclass(frozen=True)
class FetchPlan:
    """Where a shard's files come from.

    Attributes:
        sources: the card's sources that serve the split, each with its number; see
            `datasets.Dataset.fetched_sources`.
        archives: of each source of archives, by its number, what was unpacked.
        windows: `cut` when clips were cut from longer videos, so that a part will do; else `inside`.
        options: the config's `downloads`.
    """

    sources: Sequence[Mapping[str, Any]]
    archives: Mapping[int, ArchiveIndex] = field(default_factory=dict)
    windows: str = "inside"
    options: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """What a clip's failure depends on: the sources and what their archives hold."""
        found = [index.digest for _, index in sorted(self.archives.items())]
        return digest(list(self.sources), self.windows, found)

    def serves(self, row: ShardRow) -> bool:
        """Whether a source could have a clip's file: not one that the user's own list names."""
        for source in self.sources:
            by_url = source.get("http") is True or "youtube" in source
            if not by_url or row.url or row.source_id:
                return True
        return False

    @property
    def limits(self) -> Limits:
        """How long and how often to try."""
        return read_limits(self.options)


def fetch_clips(tasks: Sequence[Task], plan: FetchPlan, *, check: Checked) -> Iterator[Outcome]:
    """Fetch the files of clips and check them, source by source.

    Args:
        tasks: their items are `ShardRow`s.
        plan: where from.
        check: probes the files of tasks; an error tells that a file is of no use.

    Yields:
        Each task when its file is there and checked, or with the error of the sources together.
    """
    errors: dict[str, list[ClipError]] = {task.key: [] for task in tasks}
    # A killed run left files; they are whole, as only whole ones have their names.
    here = {task.key for task in tasks if Path(task.item.path).is_file()}
    waiting = [task for task in tasks if task.key in here]
    todo = [task for task in tasks if task.key not in here]
    todo += yield from _checked(waiting, check, errors)
    for source in plan.sources:
        answers = dict(_SOURCES[_kind(source)](_files(todo), source, plan))
        brought: list[Task] = []
        missing: list[Task] = []
        for task in todo:
            answer = answers.get(Path(task.item.path))
            (brought if isinstance(answer, Fetched) else missing).append(task)
            if isinstance(answer, ClipError):
                errors[task.key].append(answer)
        todo = missing + (yield from _checked(brought, check, errors))
    for task in todo:
        yield task, _joined(errors[task.key], task.item)


def _checked(
    tasks: Sequence[Task], check: Checked, errors: Mapping[str, list[ClipError]]
) -> Generator[Outcome, None, list[Task]]:
    """Pass on tasks whose files are good; remove files that are not, and return their tasks."""
    bad = []
    for task, error in check(tasks):
        if error is None:
            yield task, None
        else:
            Path(task.item.path).unlink(missing_ok=True)
            errors[task.key].append(error)
            bad.append(task)
    return bad


def _joined(errors: Sequence[ClipError], row: ShardRow) -> ClipError:
    """Return one error for all sources: of a class that may pass if one of them is."""
    if not errors:
        return ClipError("missing", f"{row.path}: no such file, and no source for it")
    passing = [error for error in errors if error.failure in TRANSIENT_CLASSES]
    messages = dict.fromkeys(error.message for error in errors)
    return ClipError((passing or errors)[-1].failure, "; ".join(messages))


def _files(tasks: Iterable[Task]) -> list[Wanted]:
    found: dict[Path, Wanted] = {}
    for task in tasks:
        path = Path(task.item.path)
        found.setdefault(path, Wanted(path, task.item))
    return list(found.values())


def _kind(source: Mapping[str, Any]) -> str:
    return next(kind for kind in _SOURCES if kind in source)


# ---- the sources -------------------------------------------------------------------------------


def _from_archive(
    files: Sequence[Wanted], source: Mapping[str, Any], plan: FetchPlan
) -> Iterator[Answer]:
    """Give unpacked members their names; a link, not a second copy."""
    index = plan.archives[source["number"]]
    names = _names(files, source.get("naming", "{video}"), where="archive: naming")
    for file, name in zip(files, names, strict=True):
        try:
            member = index.find(name)
            link_or_copy(member, file.path)
            yield file.path, Fetched(file.path, member.stat().st_size, 0, 0, None)
        except ClipError as error:
            yield file.path, error


def _from_http(
    files: Sequence[Wanted], source: Mapping[str, Any], plan: FetchPlan
) -> Iterator[Answer]:
    """Fetch from the addresses of the annotations, or from those that patterns give."""
    patterns = source["http"]
    if patterns is True:
        addresses = [(file, file.row.url) for file in files]
        downloads = [
            Download((url,), file.path) for file, url in addresses if url and not is_page(url)
        ]
    else:
        patterns = [patterns] if isinstance(patterns, str) else patterns
        columns = [_names(files, pattern, where="http", is_url=True) for pattern in patterns]
        mirrors = zip(*columns, strict=True)
        downloads = [Download(urls, file.path) for file, urls in zip(files, mirrors, strict=True)]
    for download, answer in fetch_many(downloads, plan.limits):
        yield download.destination, answer


def _from_youtube(
    files: Sequence[Wanted], source: Mapping[str, Any], plan: FetchPlan
) -> Iterator[Answer]:
    """Fetch videos one after another, until the source turns too many away."""
    from reelpack.sources.youtube import fetch_youtube
    from reelpack.sources.youtube_formats import Needed

    wanted = source["youtube"]
    breaker = Breaker("youtube", limit=plan.options.get(REFUSALS, 5))
    for file in files:
        if not file.row.source_id and not is_page(file.row.url or ""):
            continue
        file.path.parent.mkdir(parents=True, exist_ok=True)
        answer: Fetched | ClipError
        try:
            with breaker.guard():
                answer = fetch_youtube(
                    file.row.source_id or file.row.url or "",
                    file.path,
                    Needed(
                        wanted.get("wanted_side"),
                        wanted.get("audio", False),
                        _section(file.row, plan),
                    ),
                    options=plan.options.get(YOUTUBE_OPTIONS, {}),
                    limits=plan.limits,
                )
        except ClipError as error:
            answer = error
        yield file.path, answer


def is_page(url: str) -> bool:
    """Whether an address is that of a page on YouTube, which holds no file."""
    host = urlsplit(url).hostname or ""
    return host == "youtu.be" or host == "youtube.com" or host.endswith(".youtube.com")


def _section(row: ShardRow, plan: FetchPlan) -> tuple[float, float] | None:
    if plan.windows != "cut" or row.start_seconds is None or row.end_seconds is None:
        return None
    return row.start_seconds, row.end_seconds


_SOURCES: dict[
    str, Callable[[Sequence[Wanted], Mapping[str, Any], FetchPlan], Iterator[Answer]]
] = {
    "archive": _from_archive,
    "archive_list": _from_archive,
    "http": _from_http,
    "youtube": _from_youtube,
}


def _names(files: Sequence[Wanted], pattern: str, *, where: str, is_url: bool = False) -> list[str]:
    """Fill a source's pattern in for every file."""
    if not files:
        return []
    rows = [file.row for file in files]
    table = pd.DataFrame(
        {
            "clip_id": pd.Series([row.clip_id for row in rows], dtype="str"),
            "video": pd.Series([row.video for row in rows], dtype="str"),
            "source_id": pd.Series([row.source_id for row in rows], dtype="str"),
            "label_name": pd.Series([row.label_name for row in rows], dtype="str"),
            "start": pd.Series([row.start_seconds for row in rows], dtype="float64"),
            "end": pd.Series([row.end_seconds for row in rows], dtype="float64"),
        }
    )
    if is_url:
        for name in ("video", "source_id", "label_name"):
            table[name] = table[name].map(quote, na_action="ignore")
    return format_source_names(pattern, table, where=where).tolist()
