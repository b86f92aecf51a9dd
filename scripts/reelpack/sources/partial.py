"""A file that is on its way: hidden, locked, and resumable by the next run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from reelpack.core.files import sync, write_bytes
from reelpack.sources.base import beside, locked


@dataclass(frozen=True)
class Origin:
    """Which version of which address a partial file's bytes are of.

    Attributes:
        validator: strong ETag, or Last-Modified; "" when the server gave neither.
        total: size of the whole file, None when it was not announced.
    """

    url: str
    validator: str
    total: int | None


class Partial:
    """The bytes of a file so far; see `partial_file`."""

    def __init__(self, destination: Path, handle: int) -> None:
        self.destination = destination
        self.path = beside(destination, "part")
        self._note = beside(destination, "part.json")
        self._handle = handle
        self._is_published = False
        self.origin = self._read_note()
        if self.origin is None:
            self.restart(None)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self._handle).st_size

    def _read_note(self) -> Origin | None:
        try:
            return Origin(**json.loads(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def restart(self, origin: Origin | None) -> None:
        """Drop all bytes; those that follow are of another origin."""
        if self._note.exists():
            self._note.unlink()
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self.origin = origin

    def resume(self) -> None:
        """Put what is written next behind the bytes so far."""
        os.lseek(self._handle, 0, os.SEEK_END)

    def write(self, block: bytes) -> None:
        """Append bytes."""
        view = memoryview(block)
        while view:
            view = view[os.write(self._handle, view) :]

    def keep(self) -> None:
        """Note the origin, so that a later run may resume after this one was killed."""
        if self.origin is not None:
            write_bytes(self._note, json.dumps(asdict(self.origin)).encode())

    def tidy(self) -> None:
        """Remove bytes that no later run could resume."""
        if not self._is_published and (self.size == 0 or not self._note.exists()):
            self._note.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the file its final name."""
        sync(self.path)
        self.path.replace(self.destination)
        self._is_published = True
        self._note.unlink(missing_ok=True)


@contextmanager
def partial_file(destination: Path, *, seconds: float) -> Iterator[Partial]:
    """Open the partial file of a destination; one that cannot be resumed is removed in the end.

    Raises:
        ClipError: timeout; another process or thread kept fetching the same file.
    """
    with locked(beside(destination, "part"), seconds=seconds) as handle:
        partial = Partial(destination, handle)
        try:
            yield partial
        finally:
            partial.tidy()
