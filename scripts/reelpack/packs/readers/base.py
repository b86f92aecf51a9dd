"""What all readers of packs share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from reelpack.core.errors import DamagedError
from reelpack.images.files import Pictures, decode_picture
from reelpack.packs.base import Array, PackDamage, PackEntry

Handle = TypeVar("Handle")


class Sample(NamedTuple):
    """One clip of a pack.

    Attributes:
        clip_id: its id.
        arrays: crop set to tokens or features as the pack holds them, or frames uint8[T, H, W, 3].
        label: class number, None where the pack has none.
        caption: the first of its captions, None where the pack has none.
    """

    clip_id: str
    arrays: dict[str, Array]
    label: int | None
    caption: str | None


class OpensLate(ABC, Generic[Handle]):
    """Opens its files at the first access in each process, so that workers may be forked or spawned."""

    _handle: Handle | None = None
    _process = 0

    @abstractmethod
    def _open(self) -> Handle:
        """Open the files."""

    def _opened(self) -> Handle:
        if self._handle is None or self._process != os.getpid():
            self._handle = self._open()
            self._process = os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}


def content(value: Array | Pictures) -> Array:
    """Return an array as one's own, which torch asks for, and pictures as uint8[T, H, W, 3]."""
    if isinstance(value, Pictures):
        return np.stack([decode_picture(data) for data in value])
    return value if value.flags.writeable else value.copy()


def sample_of(items: Iterable[PackEntry | PackDamage]) -> Sample:
    """Return what a pack holds of one clip, read from all its crop sets.

    Raises:
        DamagedError: a crop set cannot be read.
    """
    arrays: dict[str, Array] = {}
    clip_id, label, captions = "", None, []
    for item in items:
        if isinstance(item, PackDamage):
            raise DamagedError(item.clip_id or "pack", item.message)
        clip_id, label = item.clip_id, item.label
        captions = item.notes.get("captions", [])
        arrays[item.variant] = content(item.array)
    return Sample(clip_id, arrays, label, captions[0] if captions else None)
