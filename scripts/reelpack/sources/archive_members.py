"""The members of tar, tar.gz (bz2, xz), zip and rar archives, whatever the kind.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import rarfile  # type: ignore[import-untyped]

from reelpack.core.errors import ClipError, UserError

Kind = Literal["file", "folder", "link", "device"]

GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20
_TAR_HEAD_BYTES = 1 << 20
_PARSE_ERRORS = (ValueError, ArithmeticError, LookupError, TypeError, struct.error)
_RAR_FORMATS = {b"Rar!\x1a\x07\x00": "rar", b"Rar!\x1a\x07\x01\x00": "rar5"}


class _DamagedError(Exception):
    """An archive cannot be read."""


@dataclass(frozen=True)
class ArchiveMember:
    """One entry of an archive; `blocks` reads the content of a file, once.

    Attributes:
        name: its path, written in one way only (see `_plain_name`).
        size: bytes of the content as the entry's head says.
    """

    name: str
    kind: Kind
    size: int
    blocks: Callable[[], Iterator[bytes]]


@contextmanager
def reading_archive(place: str) -> Iterator[None]:
    """Turn the readers' errors into one class; errors of this machine's disk pass through.

    Raises:
        ClipError: corrupt.
    """
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


def read_members(archive: Path) -> Iterator[ArchiveMember]:
    """Yield an archive's members in order; to be used within `reading_archive`."""
    try:
        yield from _reader(archive)
    except _PARSE_ERRORS as error:
        raise _DamagedError(f"damaged head: {error}") from error


def _reader(archive: Path) -> Iterator[ArchiveMember]:
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


def _tar_members(archive: Path) -> Iterator[ArchiveMember]:
    with _uncompressed(archive) as stream:
        try:
            reader = tarfile.open(fileobj=stream, mode="r|", tarinfo=_TarInfo)  # noqa: SIM115
        except tarfile.ReadError as error:
            raise _DamagedError(
                "not an archive of a known kind (tar, tar.gz, tar.bz2, tar.xz, zip, rar), or damaged"
            ) from error
        with reader:
            while (info := reader.next()) is not None:
                # A tar opened as a stream remembers all members it has passed.
                reader.members = []  # type: ignore[attr-defined]
                blocks = _tar_blocks(reader, info)
                yield ArchiveMember(_plain_name(info.name), _tar_kind(info), info.size, blocks)
        # The checksum of the compressed stream stands behind the archive's end.
        while block := stream.read(_BLOCK_BYTES):
            yield ArchiveMember("", "folder", len(block), lambda: iter(()))


def _uncompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as stream:
        head = stream.read(6)
    if head.startswith(GZIP_MAGIC):
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


def _zip_members(archive: Path) -> Iterator[ArchiveMember]:
    with zipfile.ZipFile(archive) as reader:
        for info in reader.infolist():
            yield ArchiveMember(
                _plain_name(info.filename),
                _zip_kind(info),
                info.file_size,
                _zip_blocks(reader, info),
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


def _rar_members(archive: Path, kind: str) -> Iterator[ArchiveMember]:
    libarchive, sums = _libarchive(), _rar_sums(archive)
    # The format is named: libarchive's list of all has one (mtree) that reads local files.
    options = {"format_name": kind, "filter_name": "none"}
    with _rar_errors(libarchive), libarchive.file_reader(str(archive), **options) as reader:
        for entry in reader:
            name = os.fsdecode(entry.pathname or "")
            blocks = _rar_blocks(libarchive, entry, sums.get(name))
            yield ArchiveMember(_plain_name(name), _rar_kind(entry), entry.size or 0, blocks)


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


def _plain_name(name: str) -> str:
    """Drop `./` and doubled or final slashes, so that a name is written in one way only."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return ("/" if name.startswith("/") else "") + "/".join(parts)
