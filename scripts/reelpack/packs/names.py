"""Names under which packs keep clips: safe to write, and never two clips under one."""

from __future__ import annotations

import hashlib
from array import array
from urllib.parse import quote

import numpy as np

from reelpack.core.errors import ClipError
from reelpack.core.names import is_too_long


def is_file_name(name: str) -> bool:
    """Whether a folder or file may be called so."""
    return name not in ("", ".", "..") and not is_too_long(name) and not set(name) & {"/", "\0"}


def check_path(path: str) -> None:
    """See that a relative path, `a/b`, can be made.

    Raises:
        ClipError: class `pack`, naming the part that cannot be a folder.
    """
    for part in path.split("/"):
        if not is_file_name(part):
            raise ClipError("pack", f"{part[:80]!r} cannot be the name of a folder")


def make_key(clip_id: str) -> str:
    """Return an id without dots, slashes or blanks: UTF-8 bytes beyond `A-Za-z0-9_~-` as `%2F`.

    Different ids have different keys; `urllib.parse.unquote` gives the id back.
    """
    return quote(clip_id, safe="").replace(".", "%2E")


class TakenNames:
    """The names that are given out; 16 bytes stand for each, so that millions fit."""

    def __init__(self) -> None:
        self._clips: set[bytes] = set()
        self._folders: set[bytes] = set()

    def take(self, name: str) -> None:
        """Give out a name, `a/b` being `b` in the folder `a`.

        Raises:
            ClipError: class `pack`, when a clip has that name, or the one would lie in the other.
        """
        parts = name.split("/")
        above = [_digest("/".join(parts[:count])) for count in range(1, len(parts))]
        own = _digest(name)
        if own in self._clips:
            raise ClipError("pack", f"another clip is already called {name} in this pack")
        if own in self._folders or not self._clips.isdisjoint(above):
            raise ClipError("pack", f"as {name} it would share a folder with another clip's frames")
        self._clips.add(own)
        self._folders.update(above)


class SeenIds:
    """Ids that must differ, 16 bytes each: a hundred million fit in memory."""

    def __init__(self) -> None:
        self._halves = (array("Q"), array("Q"))

    def add(self, clip_id: str) -> None:
        """Remember an id."""
        digest = _digest(clip_id)
        for half, part in zip(self._halves, (digest[:8], digest[8:]), strict=True):
            half.append(int.from_bytes(part, "little"))

    def check(self) -> None:
        """See that all were different.

        Raises:
            ValueError: a clip comes twice.
        """
        first, second = (np.asarray(half, dtype=np.uint64) for half in self._halves)
        order = np.argsort(first, kind="stable")
        like = np.flatnonzero(first[order[1:]] == first[order[:-1]])
        rows = order[np.union1d(like, like + 1)]
        if len({(int(first[row]), int(second[row])) for row in rows}) != len(rows):
            places = ", ".join(map(str, sorted(rows.tolist())[:4]))
            raise ValueError(f"a clip comes twice: among those counted {places}, failures first")


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).digest()


def get_last_part(clip_id: str) -> str:
    """Return what follows the last slash of an id: trainers know a clip by that."""
    return clip_id.rpartition("/")[2]
