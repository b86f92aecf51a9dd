"""What every source shares: limits, the record of a fetched file, locks, and checks of names and URLs."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from reelpack.core.errors import ClipError, FailureClass, UserError

_LOCK_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Fetched:
    """One file that is here now, whole and under its final name.

    Attributes:
        bytes: size of the file.
        resumed_bytes: how much of it was already here when the last request began.
        attempts: requests that were made, redirects not counted; 0 when the file was here already.
        sha256: its checksum where one was asked for, None otherwise.
    """

    path: Path
    bytes: int
    resumed_bytes: int
    attempts: int
    sha256: str | None


@dataclass(frozen=True)
class Limits:
    """How long, how much and how often to try.

    Attributes:
        attempts: tries per address.
        connect_seconds: time for a connection to open, per network address of the host.
        read_seconds: time for the answer's head, and longest silence within its body.
        total_seconds: time for one file with all tries and waits.
        max_bytes: largest file; an endless body ends here.
        min_bytes_per_second: slowest body, judged every `rate_seconds`.
        backoff_seconds: first wait before a second try; it doubles up to `max_backoff_seconds`.
        retry_after_seconds: longest wait that a server may ask for; more is cut to this.
        redirects: longest chain.
        workers: files fetched at the same time.
        per_host: requests to one host at the same time.
        resume_bytes: files smaller than this start again instead of being resumed.
    """

    attempts: int = 5
    connect_seconds: float = 20.0
    read_seconds: float = 60.0
    total_seconds: float = 6 * 3600.0
    max_bytes: int = 64 << 30
    min_bytes_per_second: float = 1024.0
    rate_seconds: float = 30.0
    backoff_seconds: float = 1.0
    max_backoff_seconds: float = 60.0
    retry_after_seconds: float = 300.0
    redirects: int = 10
    workers: int = 16
    per_host: int = 4
    resume_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name in ("attempts", "max_bytes", "workers", "per_host", "total_seconds"):
            if getattr(self, name) <= 0:
                raise UserError(f"limits: {name} is {getattr(self, name)}; it must be above 0")


def find_host(url: str) -> str:
    """Return host and port of an address, as limits per host count them."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def hide_secrets(url: str) -> str:
    """Return an address for messages: without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{find_host(url)}{parts.path}"[:200]


def classify_status(status: int) -> FailureClass:
    """Return the failure class of an HTTP status that is not a success."""
    named: dict[int, FailureClass] = {
        401: "private",
        403: "private",
        404: "gone",
        408: "timeout",
        410: "gone",
        429: "rate_limited",
        451: "geo",
    }
    return named.get(status, "network" if status >= 500 else "missing")


def is_disk_error(error: BaseException) -> bool:
    """Whether an error says that this machine, not the source, is at fault."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError)
        and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE}
    )


def looks_like_html(head: bytes) -> bool:
    """Whether a file's first bytes are those of a web page."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:32].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<script"))


def check_no_page(path: Path, *, named: Path, address: str) -> None:
    """Refuse a web page that stands where a video or archive should be.

    Raises:
        ClipError: corrupt.
    """
    with path.open("rb") as stream:
        head = stream.read(512)
    if named.suffix.lower() not in {".html", ".htm"} and looks_like_html(head):
        raise ClipError("corrupt", f"{address}: a web page, not {named.suffix or 'a file'}")


def beside(destination: Path, ending: str) -> Path:
    """Return a hidden name beside a file, the same in every process, at most 255 bytes long."""
    digest = hashlib.sha256(os.fsencode(destination.name)).hexdigest()[:16]
    return destination.with_name(f".{digest}.{ending}")


@contextmanager
def locked(path: Path, *, seconds: float) -> Iterator[int]:
    """Hold a file that only one process or thread may write, and give its descriptor.

    The lock ends with its process. The file is left for the caller to remove or rename.

    Raises:
        ClipError: timeout; another one held it all the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        is_mine = _try_lock(handle)
        if is_mine and _is_same(handle, path):
            break
        os.close(handle)
        if time.monotonic() > deadline:
            raise ClipError("timeout", f"{path.parent}: another process kept writing the same file")
        if not is_mine:
            time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield handle
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Some cluster file systems are mounted without locks; there, jobs of one file are few.
        if error.errno not in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
    return True


def _is_same(handle: int, path: Path) -> bool:
    """Whether a name still means the file that was opened; its last holder may have renamed it."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
