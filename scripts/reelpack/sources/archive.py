"""Unpack the wanted members of tar, tar.gz (bz2, xz), zip and rar archives, safely.

Archives are read as streams, member by member, in one pass. A rar is read by libarchive (the Python
package libarchive-c and the shared library: Debian `libarchive13`, conda-forge and Homebrew
`libarchive`), which knows rar 3 to 5, but no volumes, no encryption and no solid rar 3; as it does
not check all of a rar's checksums, they are taken from its heads, which rarfile reads, and checked here.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

import rarfile  # type: ignore[import-untyped]

from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import replace_file
from reelpack.core.names import NAME_BYTES, has_control, is_too_long, refused
from reelpack.sources.base import beside

Wanted = Callable[[str], bool] | Collection[str] | None
Kind = Literal["file", "folder", "link", "device"]

_BLOCK_BYTES = 1 << 20
_PATH_BYTES = 1024
_TAR_HEAD_BYTES = 1 << 20
_RATIO_FLOOR_BYTES = 1 << 20
_ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".rar")
_PARSE_ERRORS = (ValueError, ArithmeticError, LookupError, TypeError, struct.error)
_GZIP = b"\x1f\x8b"
_RAR_FORMATS = {b"Rar!\x1a\x07\x00": "rar", b"Rar!\x1a\x07\x01\x00": "rar5"}


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


class _DamagedError(Exception):
    """An archive cannot be read."""


@dataclass(frozen=True)
class _Member:
    name: str
    kind: Kind
    size: int
    blocks: Callable[[], Iterator[bytes]]


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
        with self._undone_if_damaged(archive), _reading(place):
            for member in _members(archive):
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
                is_gzip = stream.read(2) == _GZIP
            if is_gzip and error.failure == "corrupt":
                for member in self.found[start:]:
                    if member.is_new:
                        member.path.unlink(missing_ok=True)
            raise

    def _count(self, place: str) -> None:
        self._members += 1
        if self._members > self.limits.max_members:
            raise refused(f"{place}: more than {self.limits.max_members} members")

    def _take(self, member: _Member, prefix: PurePosixPath, place: str) -> None:
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

    def _is_inner(self, member: _Member) -> bool:
        is_archive = member.name.lower().endswith(_ARCHIVE_SUFFIXES)
        return self.nested and is_archive and member.kind == "file"

    def _is_wanted(self, name: str) -> bool:
        if callable(self._wanted):
            return self._wanted(name)
        return self._wanted is None or name in self._wanted

    def _write(self, member: _Member, name: str, where: str) -> None:
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

    def _unpack_inner(self, member: _Member, prefix: PurePosixPath, place: str, depth: int) -> None:
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


def _copy(member: _Member, path: Path, where: str) -> None:
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


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turn the readers' errors into one class; errors of this machine's disk pass through."""
    damaged = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
    # zipfile: unknown methods are a NotImplementedError, which is a RuntimeError, like passwords.
    try:
        yield
    except (*damaged, _DamagedError, RuntimeError) as error:
        raise ClipError("corrupt", f"{place}: {error or type(error).__name__}") from error
    except OSError as error:
        # bz2 and gzip report damaged data without a number; zip heads may lead to places below 0.
        if error.errno not in {None, errno.EINVAL}:
            raise
        raise ClipError("corrupt", f"{place}: {error}") from error


def _members(archive: Path) -> Iterator[_Member]:
    try:
        yield from _reader(archive)
    except _PARSE_ERRORS as error:
        raise _DamagedError(f"damaged head: {error}") from error


def _reader(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as stream:
        head = stream.read(8)
    for magic, kind in _RAR_FORMATS.items():
        if head.startswith(magic):
            return _rar_members(archive, kind)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(archive)
    return _tar_members(archive)


class _TarInfo(tarfile.TarInfo):
    """Refuses long-name and pax heads of a size that only serves to fill the memory."""

    _LONG = (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in self._LONG and self.size > _TAR_HEAD_BYTES:
            raise tarfile.ReadError(f"a member's head of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


def _tar_members(archive: Path) -> Iterator[_Member]:
    with _uncompressed(archive) as stream:
        try:
            reader = tarfile.open(fileobj=stream, mode="r|", tarinfo=_TarInfo)  # noqa: SIM115
        except tarfile.ReadError as error:
            raise _DamagedError(
                "no archive of a known kind (tar, tar.gz, tar.bz2, tar.xz, zip, rar), or damaged"
            ) from error
        with reader:
            while (info := reader.next()) is not None:
                # A tar opened as a stream remembers all members it has passed.
                reader.members = []  # type: ignore[attr-defined]
                blocks = _tar_blocks(reader, info)
                yield _Member(_plain(info.name), _tar_kind(info), info.size, blocks)
        # The checksum of the compressed stream stands behind the archive's end.
        while block := stream.read(_BLOCK_BYTES):
            yield _Member("", "folder", len(block), lambda: iter(()))


def _uncompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as stream:
        head = stream.read(6)
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.open(archive))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.open(archive))
    return cast("IO[bytes]", lzma.open(archive)) if head == b"\xfd7zXZ\x00" else archive.open("rb")


def _tar_kind(info: tarfile.TarInfo) -> Kind:
    if info.isdir():
        return "folder"
    if info.issym() or info.islnk():
        return "link"
    return "file" if info.isreg() else "device"


def _tar_blocks(reader: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        stream = reader.extractfile(info)
        while stream and (block := stream.read(_BLOCK_BYTES)):
            yield block

    return blocks


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as reader:
        for info in reader.infolist():
            yield _Member(
                _plain(info.filename), _zip_kind(info), info.file_size, _zip_blocks(reader, info)
            )


def _zip_kind(info: zipfile.ZipInfo) -> Kind:
    mode = info.external_attr >> 16
    if info.is_dir():
        return "folder"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_IFMT(mode) in {0, stat.S_IFREG} else "device"


def _zip_blocks(reader: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        with reader.open(info) as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block

    return blocks


def _rar_members(archive: Path, kind: str) -> Iterator[_Member]:
    libarchive, sums = _libarchive(), _rar_sums(archive)
    # The format is named: libarchive's list of all has one (mtree) that reads local files.
    options = {"format_name": kind, "filter_name": "none"}
    with _rar_errors(libarchive), libarchive.file_reader(str(archive), **options) as reader:
        for entry in reader:
            name = os.fsdecode(entry.pathname or "")
            blocks = _rar_blocks(libarchive, entry, sums.get(name))
            yield _Member(_plain(name), _rar_kind(entry), entry.size or 0, blocks)


def _rar_sums(archive: Path) -> dict[str, int]:
    """Return the CRC-32 of members by name, for those that have one."""
    try:
        with rarfile.RarFile(str(archive)) as reader:
            return {info.filename: info.CRC for info in reader.infolist() if info.CRC is not None}
    except rarfile.RarExecError:
        # An old archive's comment needs a program to unpack; then libarchive's own checks must do.
        return {}
    except rarfile.Error as error:
        raise _DamagedError(str(error) or type(error).__name__) from error


def _rar_blocks(libarchive: Any, entry: Any, wanted: int | None) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        found = 0
        with _rar_errors(libarchive):
            for block in entry.get_blocks(_BLOCK_BYTES):
                found = zlib.crc32(block, found)
                yield block
        if wanted not in {None, found}:
            raise _DamagedError(f"wrong checksum of {entry.pathname!r:.120}")

    return blocks


@contextmanager
def _rar_errors(libarchive: Any) -> Iterator[None]:
    try:
        yield
    except libarchive.ArchiveError as error:
        advice = "; unpack it with unrar into a folder" if "support" in str(error.msg) else ""
        raise _DamagedError(f"{error.msg}{advice}") from error


def _libarchive() -> Any:
    try:
        import libarchive  # type: ignore[import-untyped]
    except (ImportError, OSError, AttributeError, TypeError) as error:
        raise UserError(
            "rar archives need the library libarchive (Debian: libarchive13, conda-forge and"
            f" Homebrew: libarchive): {error}"
        ) from error
    return libarchive


def _rar_kind(entry: Any) -> Kind:
    if entry.isdir:
        return "folder"
    # A rar 5 holds a file's second copy as a reference, which comes without a size.
    if entry.issym or entry.islnk or entry.size is None:
        return "link"
    return "file" if entry.isfile else "device"


def _plain(name: str) -> str:
    """Drop `./` and doubled or final slashes, so that a name is written in one way only."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return ("/" if name.startswith("/") else "") + "/".join(parts)
