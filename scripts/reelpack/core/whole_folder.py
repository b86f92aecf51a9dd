"""Folders that are whole or absent: written beside their place, synced, then put there by one rename."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelpack.core.files import reveal_full_disk

_AT_WORKING_FOLDER = -100
_RENAME_EXCHANGE = 2


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder beside `folder`; on success sync it and put it in place of what lies there.

    The last act is one rename of the whole, so that a reader meets the old folder or the new one.
    Leftovers of killed runs are cleared; nobody may be writing them.

    Raises:
        OSError: ENOSPC, the disk is full. The old folder stays, as after any other error.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(folder)
    scratch = folder.with_name(f".{folder.name}.tmp-{secrets.token_hex(4)}")
    scratch.mkdir()
    try:
        with reveal_full_disk(folder.parent):
            yield scratch
            _sync_file_system(scratch)
            _put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _clear_leftovers(folder: Path) -> None:
    for kind in ("tmp", "old"):
        for leftover in folder.parent.glob(f".{_literal(folder.name)}.{kind}-*"):
            shutil.rmtree(leftover)


def _literal(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _sync_file_system(folder: Path) -> None:
    """Flush everything at once: millions of files are too many to sync one by one."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if library.syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def _put_in_place(scratch: Path, folder: Path) -> None:
    if not folder.exists():
        scratch.rename(folder)
    elif not _exchange(scratch, folder):
        old = folder.with_name(f".{folder.name}.old-{secrets.token_hex(4)}")
        folder.rename(old)
        scratch.rename(folder)
        shutil.rmtree(old)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the file system cannot (NFS, for one)."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    if swap is None:
        return False
    here = _AT_WORKING_FOLDER
    return bool(swap(here, os.fsencode(one), here, os.fsencode(other), _RENAME_EXCHANGE) == 0)
