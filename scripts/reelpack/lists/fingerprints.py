"""Whether own videos changed: a signature of all of them without opening one, a fingerprint of each.

Planning compares signatures; make_manifest then looks closer, and writes fingerprints into the shard tables.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reelpack.config.settings import Settings
from reelpack.core.state import digest_states
from reelpack.lists.folders import walk_files, walk_videos
from reelpack.lists.own import read_paths

_SAMPLE_BYTES = 1 << 16
_GROUP = 1024


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

    The whole file is hashed when the shard is downloaded; this one only has to notice that a file
    was replaced, and that a touched one was not.
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


def fingerprints(paths: Sequence[str]) -> list[str]:
    """Return the fingerprint of every file, in order."""
    # Threads, since file systems over a network are slow to answer; in groups, since handing out a
    # task costs more than a file.
    groups = [paths[start : start + _GROUP] for start in range(0, len(paths), _GROUP)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda group: [fingerprint(path) for path in group], groups)
        return [one for group in found for one in group]
