"""Frames from the order in which a decoder gives them to the places where they are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import av

from reelpack.video.reader import MismatchError

Frame = TypeVar("Frame")


class FrameQueue(Generic[Frame]):
    """Brings frames from the decoder's order into a request's, holding those that come again."""

    def __init__(self, order: Sequence[int]) -> None:
        self.uses = Counter(order)
        self._order = order
        self._next = 0
        self._held: dict[int, Frame] = {}

    @property
    def open(self) -> bool:
        """Whether frames are still to come."""
        return self._next < len(self._order)

    def add(self, place: int, frame: Frame) -> Iterator[Frame]:
        """Take the next frame of the decoder and give those whose turn it is."""
        self._held[place] = frame
        while self.open and (key := self._order[self._next]) in self._held:
            self._next += 1
            self.uses[key] -= 1
            yield self._held[key] if self.uses[key] else self._held.pop(key)


def put_at_places(
    frames: Iterator[tuple[int, av.VideoFrame]], wanted: Iterator[tuple[int, int]]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Turn stamps into places in the index; `wanted` has (place, stamp), rising.

    Raises:
        MismatchError: a frame is missing, or there are more than wanted.
    """
    for stamp, frame in frames:
        place, expected = next(wanted, (-1, None))
        if stamp != expected:
            raise MismatchError("the frames are not those wanted")
        yield place, frame
    if next(wanted, None) is not None:
        raise MismatchError("a wanted frame did not come out")
