"""Folders of videos: which files in them are clips, and what the clips are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from reelpack.config.suffixes import VIDEO_SUFFIXES
from reelpack.core.errors import UserError


def walk_videos(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the video files below a folder in sorted order, as `walk_files` does."""
    for entry in walk_files(folder):
        if Path(entry.name).suffix.lower() in VIDEO_SUFFIXES:
            yield entry


def walk_files(
    folder: Path, *, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder in sorted order, hidden ones left out.

    Links are followed, but not back to a folder that they lie in.

    Args:
        folder: where to look.
        above: device and inode of the folders on the way here.
    """
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                yield from walk_files(Path(entry.path), above=above | {here})
            else:
                yield entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry raises for a link to itself, where isdir says no.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112


def read_folder(folder: Path) -> pd.DataFrame:
    """List a folder of videos.

    The clip id is the path below the folder without its ending; where two files differ only in their
    ending, both keep it.

    Returns:
        A frame with the columns clip_id, video, path, split (the first folder), sorted by path.
    """
    files = [Path(entry.path).relative_to(folder) for entry in walk_videos(folder)]
    for path in files:
        if not _is_unicode(str(path)):
            raise UserError(
                f"{folder}: file name {os.fsencode(path)!r} is not UTF-8 text; rename the file"
            )
    if not files:
        endings = " ".join(sorted(VIDEO_SUFFIXES))
        raise UserError(f"{folder}: no videos in this folder (endings: {endings})")
    names = pd.Series([path.as_posix() for path in files], dtype="str")
    stems = pd.Series([path.with_suffix("").as_posix() for path in files], dtype="str")
    clash = stems.duplicated(keep=False)
    return pd.DataFrame(
        {
            "clip_id": stems.where(~clash, names),
            "video": names,
            "path": [str(folder / path) for path in files],
            "split": [path.parts[0] if len(path.parts) > 1 else None for path in files],
        }
    )


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
