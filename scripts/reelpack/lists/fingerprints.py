"""Whether own videos changed: a signature of all of them without opening one, a fingerprint of each.

Planning compares signatures; make_manifest then looks closer, and writes fingerprints into the shard tables.
A fingerprint stands for content, by these rules:

1. A file that is seen for the first time is told by its size and three samples of its bytes, which are
   all bytes of a small one.
2. While its size and time stay, so does its fingerprint; it is not opened.
3. When either changes, all of the file is hashed. Where that is the content which the fingerprint stood
   for, the fingerprint stays; else the hash becomes the fingerprint.

For 3., make_manifest keeps what it saw in a journal, which outlives its outputs. The hash of a file that
never changed is the one that download_shard computed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.config.settings import Settings
from reelpack.core.errors import DamagedError
from reelpack.core.files import reading, sha256_file
from reelpack.core.state import digest_states, file_state
from reelpack.core.tables import write_table
from reelpack.lists.folders import walk_files, walk_videos
from reelpack.lists.own import read_paths

_SAMPLE_BYTES = 1 << 16
# The samples of a file as small as this are all of it.
_SAMPLED_BYTES = 3 * _SAMPLE_BYTES
_GROUP = 1024
_SEEN = "journal/make_manifest/files.parquet"


def signature(videos: Path, *, all_files: bool = False) -> str:
    """Return a digest over name, size and time of own videos, without opening one.

    It changes when a video is added, removed, replaced or touched. Addresses have no state to look at.

    Args:
        videos: folder or list.
        all_files: of a folder, count files of every kind.
    """
    paths: Iterable[str] = ()
    if videos.is_dir():
        entries = walk_files(videos) if all_files else walk_videos(videos)
        paths = (entry.path for entry in entries)
    elif videos.is_file():
        paths = (os.path.join(videos.parent, name) for name in read_paths(videos))  # noqa: PTH118
    return digest_states(paths, with_missing=True)


def watched_signature(settings: Settings, dataset: str) -> str:
    """Return the state of a dataset's own videos, "" where it has none or nobody watches them.

    Raises:
        UserError: as `Dataset.check_videos` does.
    """
    data = settings.datasets[dataset]
    data.check_videos()
    if not settings.is_watched(dataset):
        return ""
    if not data.is_annotated:
        return signature(Path(data.videos))
    folders = [Path(each["folder"]) for each in data.sources if "folder" in each]
    states = [signature(folder, all_files=True) for folder in folders if folder.is_dir()]
    return hashlib.sha256("\n".join(states).encode()).hexdigest()[:32] if states else ""


def _open_at_once(path: str, flags: int) -> int:
    # A pipe that nobody writes to would be waited for.
    return os.open(path, flags | os.O_NONBLOCK)


def fingerprint(path: str) -> str:
    """Return a short digest of a file's size and three samples of its bytes; "" when it is missing.

    Pipes, sockets and devices have none either: they are not opened for their bytes.

    It cannot tell files apart that differ elsewhere; see `Fingerprints`.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return ""
            size = status.st_size
            digest = hashlib.sha256(str(size).encode())
            for start in (0, (size - _SAMPLE_BYTES) // 2, size - _SAMPLE_BYTES):
                stream.seek(max(start, 0))
                digest.update(stream.read(_SAMPLE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()[:16]


class SeenFile(NamedTuple):
    """A file as make_manifest last saw it.

    Attributes:
        fingerprint: what stands for its content.
        sha256: of all of it, "" where it has not changed since it was seen first.
    """

    path: str
    size: int
    time_ns: int
    fingerprint: str
    sha256: str


_SEEN_FILES = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("time_ns", pa.int64()),
        ("fingerprint", pa.string()),
        ("sha256", pa.string()),
    ]
)


class Fingerprints:
    """Fingerprints of a split's own files, by the rules above.

    Args:
        split: `results/{dataset}/{split}`.
    """

    def __init__(self, split: Path) -> None:
        self._split = split
        self._seen: dict[str, SeenFile] = {}
        if (split / _SEEN).exists():
            rows = _read_columns(split / _SEEN, _SEEN_FILES.names)
            self._seen = {row[0]: SeenFile(*row) for row in rows}

    def take(self, paths: Sequence[str]) -> list[str]:
        """Return the fingerprint of every file, in order, "" for those that are missing."""
        # Threads, since file systems over a network are slow to answer; in groups, since handing out a
        # task costs more than a file.
        distinct = list(dict.fromkeys(paths))
        groups = [distinct[start : start + _GROUP] for start in range(0, len(distinct), _GROUP)]
        with ThreadPoolExecutor(8) as pool:
            looks = pool.map(lambda group: [self._look(path) for path in group], groups)
            found = {seen.path: seen for group in looks for seen in group if seen is not None}
        # Files that are gone are remembered: they may come back changed.
        self._seen |= found
        return [found[path].fingerprint if path in found else "" for path in paths]

    def save(self) -> None:
        """Keep what was seen; before any fingerprint is handed on, so that none is forgotten."""
        if self._seen:
            path = self._split / _SEEN
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = map(list, zip(*sorted(self._seen.values()), strict=True))
            write_table(dict(zip(_SEEN_FILES.names, columns, strict=True)), _SEEN_FILES, path)

    def _look(self, path: str) -> SeenFile | None:
        try:
            size, time_ns = file_state(path)
            seen = self._seen.get(path)
            if seen is not None and (seen.size, seen.time_ns) == (size, time_ns):
                return seen
            mark, sha256 = fingerprint(path), ""
            if mark and seen is not None:
                sha256 = sha256_file(Path(path))
                if sha256 == (seen.sha256 or self._hashes.get(path)):
                    mark = seen.fingerprint
                elif size > _SAMPLED_BYTES:
                    mark = sha256[:16]
        except (OSError, ValueError):
            return None
        return SeenFile(path, size, time_ns, mark, sha256) if mark else None

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """SHA-256 of files by path, as download_shard found them."""
        found: dict[str, str] = {}
        for table in sorted((self._split / "downloads").glob("*.parquet")):
            if not table.name.endswith(".ledger.parquet"):
                found |= _read_columns(table, ["path", "sha256"])
        return found


def _read_columns(path: Path, names: list[str]) -> list[tuple[Any, ...]]:
    """Read columns of a parquet file row by row; a damaged one says nothing."""
    try:
        with reading(path):
            columns = pq.read_table(path, columns=names).to_pydict()
    except DamagedError:
        return []
    return list(zip(*(columns[name] for name in names), strict=True))
