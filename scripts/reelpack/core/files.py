"""Files that are whole or absent: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelpack.core.errors import ClipError, DamagedError, UserError
from reelpack.core.names import NAME_BYTES

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NEARLY_FULL_BYTES = 1 << 16
_ROOM_BYTES = 55


def sync(path: Path) -> None:
    """Ask the operating system to put a file or a folder's entries on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is full."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def reveal_full_disk(folder: Path) -> Iterator[None]:
    """Have every error of whatever writes into `folder` say that the disk is full, when it is.

    Libraries hide that in their own ways (lmdb: "Input/output error", torch: "unexpected pos"), so
    the file system is asked.

    Raises:
        OSError: ENOSPC, the disk is full.
    """
    try:
        yield
    except (ClipError, UserError):
        raise
    except Exception as error:
        if not is_full(error) and _nearly_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise


def _nearly_full(folder: Path) -> bool:
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize < _NEARLY_FULL_BYTES


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Have every error over the content of a finished file say that it is damaged.

    Raises:
        DamagedError: the file could be read, but its content makes no sense.
    """
    try:
        yield
    except (ClipError, UserError, MemoryError):
        raise
    except Exception as error:
        # With a number it comes from the system, which says nothing against the file.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedError(str(path), f"{type(error).__name__}: {error}") from error


def _usual_mode() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


_MODE = _usual_mode()


def _short(name: str) -> str:
    """Leave room for what a temporary name adds, within the longest file name."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= NAME_BYTES - _ROOM_BYTES else hashlib.sha256(encoded).hexdigest()


@contextmanager
def replace_file(target: Path) -> Iterator[Path]:
    """Give a temporary name beside `target`; on success sync it and rename it to `target`.

    The name holds the process id, so that two writers never share one; after an error it is removed.

    Raises:
        OSError: ENOSPC, the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{_short(target.name)}.{os.getpid()}.tmp")
    try:
        with reveal_full_disk(target.parent):
            yield temporary
            if temporary.stat().st_nlink == 1:
                # Some libraries write files that nobody else on a shared disk may read.
                temporary.chmod(_MODE)
            sync(temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(*targets: Path) -> None:
    """Remove what killed writers of these files left under temporary names; nobody may be writing them."""
    for target in targets:
        for leftover in target.parent.glob(f".{glob.escape(_short(target.name))}.*.tmp"):
            leftover.unlink(missing_ok=True)


def write_bytes(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replace_file(target) as temporary:
        temporary.write_bytes(data)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, replacing what is there; a copy where links are not possible."""
    with replace_file(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            with source.open("rb") as read, temporary.open("wb") as write:
                while block := read.read(1 << 20):
                    write.write(block)
