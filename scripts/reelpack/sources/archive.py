"""Unpack the wanted members of archives (see `archive_members`), safely."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reelpack.core.errors import ClipError
from reelpack.core.files import replace_file
from reelpack.core.names import NAME_BYTES, has_control, is_too_long, refused
from reelpack.sources.archive_members import (
    GZIP_MAGIC,
    ArchiveMember,
    read_members,
    reading_archive,
)
from reelpack.sources.base import beside

Wanted = Callable[[str], bool] | Collection[str] | None

_PATH_BYTES = 1024
_RATIO_FLOOR_BYTES = 1 << 20
_ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".rar")


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may unpack to.

    Attributes:
        max_bytes: all wanted members together.
        max_members: members of all kinds, in all nested archives together.
        max_ratio: all members' sizes over the archive's size; videos have about 1, text up to 20.
        max_depth: archives within archives.
    """

    max_bytes: int = 4 << 40
    max_members: int = 20_000_000
    max_ratio: float = 200.0
    max_depth: int = 2


@dataclass(frozen=True)
class Extracted:
    """One wanted member that is here now.

    Attributes:
        name: its path in the archive; for one in a nested archive, below that archive's folder.
        is_new: False when it was here already, with the right size.
    """

    name: str
    path: Path
    bytes: int
    is_new: bool


def extract(
    archive: Path,
    target: Path,
    *,
    wanted: Wanted = None,
    nested: bool = False,
    limits: ArchiveLimits | None = None,
) -> list[Extracted]:
    """Unpack an archive's wanted members below a folder.

    Each member is written under a temporary name and renamed when it is whole; one that is here
    with the right size is left alone, so a repeated call goes on where a killed one ended. Only
    wanted members are judged, as others are never written. Modes and times are not restored.

    Args:
        wanted: names (reading stops when all are found), or a test of a name; None for all.
            Names are as in the archive, without a leading `./`.
        nested: unpack archives inside of this one in place, instead of writing them as files.

    Returns:
        In the archive's order.

    Raises:
        ClipError: corrupt (not an archive of a known kind, damaged, encrypted) or refused (absolute
            names, `..`, links, devices, names that are double or too long, beyond a limit).
        UserError: a rar, and libarchive is not installed.
    """
    work = _Extraction(target, wanted, limits or ArchiveLimits(), nested=nested)
    work.unpack(archive, prefix=PurePosixPath(), place=archive.name, depth=0)
    return work.found


class _Extraction:
    """One call of `extract`: what has been seen and written in all nested archives together."""

    def __init__(
        self, target: Path, wanted: Wanted, limits: ArchiveLimits, *, nested: bool
    ) -> None:
        self.target = target
        self.limits = limits
        self.nested = nested
        self.found: list[Extracted] = []
        self._top = target.resolve()
        self._wanted = wanted if callable(wanted) or wanted is None else frozenset(wanted)
        self._seen: set[str] = set()
        self._safe_folders: set[Path] = set()
        self._members = 0
        self._bytes = 0

    def unpack(self, archive: Path, *, prefix: PurePosixPath, place: str, depth: int) -> None:
        """Go through one archive whose members lie below `prefix`."""
        if depth > self.limits.max_depth:
            raise refused(f"{place}: archives lie too deep in one another")
        budget = max(_RATIO_FLOOR_BYTES, self.limits.max_ratio * archive.stat().st_size)
        with self._undone_if_damaged(archive), reading_archive(place):
            for member in read_members(archive):
                budget -= member.size
                self._count(place)
                if budget < 0:
                    raise refused(
                        f"{place}: unpacks to over {self.limits.max_ratio:g} times its size"
                    )
                if self._is_inner(member):
                    self._unpack_inner(member, prefix, place, depth + 1)
                else:
                    self._take(member, prefix, place)
                if isinstance(self._wanted, frozenset) and self._seen >= self._wanted:
                    return

    @contextmanager
    def _undone_if_damaged(self, archive: Path) -> Iterator[None]:
        """Remove what came out of a gzip that proves damaged: its one checksum is at its end."""
        start = len(self.found)
        try:
            yield
        except ClipError as error:
            with archive.open("rb") as stream:
                is_gzip = stream.read(2) == GZIP_MAGIC
            if is_gzip and error.failure == "corrupt":
                for member in self.found[start:]:
                    if member.is_new:
                        member.path.unlink(missing_ok=True)
            raise

    def _count(self, place: str) -> None:
        self._members += 1
        if self._members > self.limits.max_members:
            raise refused(f"{place}: more than {self.limits.max_members} members")

    def _take(self, member: ArchiveMember, prefix: PurePosixPath, place: str) -> None:
        name = str(prefix / member.name) if member.name else ""
        if member.kind == "folder" or not self._is_wanted(name):
            return
        where = f"{place}: member {name!r:.120}"
        _check_name(name, where)
        if member.kind != "file":
            raise refused(f"{where} is a {member.kind}")
        if name in self._seen:
            raise refused(f"{where} is there twice")
        self._seen.add(name)
        self._bytes += member.size
        if self._bytes > self.limits.max_bytes:
            raise refused(f"{where}: more than {self.limits.max_bytes} bytes in all")
        self._write(member, name, where)

    def _is_inner(self, member: ArchiveMember) -> bool:
        is_archive = member.name.lower().endswith(_ARCHIVE_SUFFIXES)
        return self.nested and is_archive and member.kind == "file"

    def _is_wanted(self, name: str) -> bool:
        if callable(self._wanted):
            return self._wanted(name)
        return self._wanted is None or name in self._wanted

    def _write(self, member: ArchiveMember, name: str, where: str) -> None:
        path = self.target / name
        self._check_folder(path.parent, where)
        if _has_size(path, member.size):
            self.found.append(Extracted(name, path, member.size, is_new=False))
            return
        try:
            with replace_file(path) as temporary:
                _copy(member, temporary, where)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise refused(f"{where} is a file here and a folder there") from error
        self.found.append(Extracted(name, path, member.size, is_new=True))

    def _check_folder(self, folder: Path, where: str) -> None:
        """See that no link that lies below the target leads out of it."""
        if folder not in self._safe_folders:
            if not folder.resolve().is_relative_to(self._top):
                raise refused(f"{where} would be written outside of {self.target}, through a link")
            self._safe_folders.add(folder)

    def _unpack_inner(
        self, member: ArchiveMember, prefix: PurePosixPath, place: str, depth: int
    ) -> None:
        where = f"{place}: {member.name!r:.120}"
        _check_name(member.name, where)
        self.target.mkdir(parents=True, exist_ok=True)
        inner = beside(self.target / member.name.replace("/", "_"), f"{os.getpid()}.tmp")
        try:
            _copy(member, inner, where)
            below = prefix / PurePosixPath(member.name).parent
            self.unpack(inner, prefix=below, place=f"{place} > {member.name}", depth=depth)
        finally:
            inner.unlink(missing_ok=True)


def _check_name(name: str, where: str) -> None:
    parts = name.split("/")
    if has_control(name) or "\\" in name:
        raise refused(f"{where}: name has a control character or a backslash")
    if not name or name.startswith("/") or ".." in parts:
        raise refused(f"{where}: name leads out of the target folder")
    if is_too_long(name) or len(name.encode()) > _PATH_BYTES:
        raise refused(f"{where}...: name is longer than {NAME_BYTES} bytes")


def _has_size(path: Path, size: int) -> bool:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _copy(member: ArchiveMember, path: Path, where: str) -> None:
    """Write a member's content, exactly as long as its head says."""
    left = member.size
    with path.open("wb") as stream:
        for block in member.blocks():
            left -= len(block)
            if left < 0:
                break
            stream.write(block)
    if left:
        raise ClipError("corrupt", f"{where}: not the {member.size} bytes that its head says")
