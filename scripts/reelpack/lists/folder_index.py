"""Find clips' files in a folder that the user has."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from reelpack.lists.folders import walk_files


class FolderIndex:
    """The files below a folder, found by name.

    A name is a path below the folder, exact or less its ending. A name with folders is also found
    by its last part directly in the folder, and one without folders anywhere below it. A name that
    could mean several files means none: no guess is made. Hidden files are left out, links are
    followed, and pipes, sockets and devices are not files.

    Args:
        root: the folder.

    Attributes:
        names: all files, as paths below the folder, sorted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        files = (Path(entry.path) for entry in walk_files(root) if _is_file(entry))
        self.names = [path.relative_to(root).as_posix() for path in files]
        self._exact = set(self.names)
        self._stems: dict[str, list[str]] = defaultdict(list)
        self._last: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            path = PurePosixPath(name)
            self._stems[_stem(path)].append(name)
            for key in {path.name, path.stem}:
                self._last[key].append(name)

    def find(self, name: str) -> Path | None:
        """Return the file that a name means, None when there is none or not just one."""
        path = PurePosixPath(name)
        for key in (name, path.name):
            if key in self._exact:
                return self.root / key
            found = self._stems.get(key) or self._stems.get(_stem(PurePosixPath(key)))
            if found:
                return self._only(found)
        if "/" in name:
            return None
        return self._only(self._last.get(path.name) or self._last.get(path.stem) or [])

    def _only(self, names: list[str]) -> Path | None:
        return self.root / names[0] if len(names) == 1 else None


def _is_file(entry: os.DirEntry[str]) -> bool:
    # Links alone need a look at the disk; isfile says no where DirEntry raises, for a link to itself.
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry.path)  # noqa: PTH113


def _stem(path: PurePosixPath) -> str:
    return str(path.with_suffix("")) if path.name else ""
