"""Find a clip's file in a folder that the user has."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import ClipError
from ..manifest import VIDEO_SUFFIXES
from .base import NAME_BYTES, has_control, refused

_ENDINGS = tuple(sorted(VIDEO_SUFFIXES)) + tuple(sorted(s.upper() for s in VIDEO_SUFFIXES))


def find_video(root: Path, name: str, *, follow_links: bool = False) -> Path:
    """Return the file of a clip.

    Args:
        root: the folder; it may itself be reached by a link.
        name: path below `root`, exact or without its video ending (in lower or upper case).
        follow_links: go through links below `root` as long as they end inside of it.

    Raises:
        ClipError: missing (none, or several by that stem) or refused (a name or link that leads out).
    """
    _check(name)
    exact = root / name
    found = [exact] if _is_file(exact) else _by_stem(exact)
    if not found:
        raise ClipError("missing", f"{root}: no file {name!r}, with or without a video ending")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ClipError("missing", f"{root}: {name!r} may be any of: {names}")
    return _inside(root, found[0], follow_links=follow_links)


def _check(name: str) -> None:
    parts = PurePosixPath(name).parts
    if has_control(name):
        raise refused(f"name {name!r:.120} has a control character")
    if not parts or name.startswith("/") or ".." in parts:
        raise refused(f"name {name!r:.120} does not lie inside the folder")
    if any(len(part.encode()) > NAME_BYTES for part in parts):
        raise refused(f"name {name!r:.60}... is longer than {NAME_BYTES} bytes")


def _by_stem(stem: Path) -> list[Path]:
    paths = [stem.with_name(stem.name + ending) for ending in _ENDINGS]
    files = [path for path in paths if len(path.name.encode()) <= NAME_BYTES and _is_file(path)]
    # Where file names have no case, x.mp4 and x.MP4 are one file.
    return sorted({path.stat().st_ino: path for path in reversed(files)}.values())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError as error:
        raise ClipError("missing", f"{path}: not readable: {error.strerror}") from error


def _inside(root: Path, path: Path, *, follow_links: bool) -> Path:
    top, real = root.resolve(), path.resolve()
    if not real.is_relative_to(top):
        raise refused(f"{path}: a link that leads out of {root}")
    if not follow_links and real != top / path.relative_to(root):
        raise refused(f"{path}: reached by a link, which is not followed here")
    return path
