"""The two ways back out of a pack: all its parts in order, to verify it, and its clips by number."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from reelpack.packs.entries import PackDamage, PackEntry

Handle = TypeVar("Handle")


@dataclass(frozen=True)
class PackPart:
    """What can be read though the rest of a pack is damaged.

    Attributes:
        name: what people are told where it is damaged.
        files: what it is read from, relative to the pack.
        read: reads it.
        variant: the crop set that is lost with it; None when all are, or when that is not known.
        clip_id: the clip that is lost with it; None when several are.
    """

    name: str
    files: Iterable[str]
    read: Callable[[], Iterable[PackEntry | PackDamage]]
    variant: str | None = None
    clip_id: str | None = None

    def read_undamaged(
        self, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read it, unless one of its files is known to be damaged; what goes wrong is told."""
        bad = next((name for name in self.files if name in damaged), None)
        if bad is not None:
            yield self._tell(f"not read again, {'it' if bad == self.name else bad} is damaged")
            return
        try:
            yield from self.read()
        except MemoryError:
            raise
        except Exception as error:  # libraries raise a dozen kinds over damaged bytes
            yield self._tell(str(error))

    def _tell(self, reason: str) -> PackDamage:
        line = f"{self.name}: {' '.join(reason.split())}"
        return PackDamage(line, self.variant, self.clip_id)


class Clips(ABC):
    """A pack's clips by number, from 0. Instances can be pickled, and used on in forked processes."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, number: int) -> Iterable[PackEntry]:
        """Read all crop sets of a clip."""

    def read_all(self) -> Iterator[PackEntry]:
        """Read the clips one after another."""
        for number in range(len(self)):
            yield from self.read(number)


class OpensLate(ABC, Generic[Handle]):
    """Opens its files at the first access in each process, so that workers may be forked or spawned."""

    _handle: Handle | None = None
    _process = 0

    @abstractmethod
    def _open(self) -> Handle:
        """Open the files."""

    def _get_handle(self) -> Handle:
        if self._handle is None or self._process != os.getpid():
            self._handle = self._open()
            self._process = os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


class Lines:
    """The lines of a file by number, without their ends; memory holds eight bytes for each."""

    def __init__(self, path: Path) -> None:
        """Find where each begins."""
        self._path = path
        self._offsets = array("q")
        place = 0
        with path.open("rb") as file:
            for line in file:
                self._offsets.append(place)
                place += len(line)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._offsets[number])
            return file.readline().removesuffix(b"\n")
