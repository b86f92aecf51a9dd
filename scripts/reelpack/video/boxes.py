"""The boxes of MP4 and MOV files, and what their movie header states, which libavformat does not pass on."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MICROSECONDS = 1_000_000
_CONTAINERS = frozenset({b"moov", b"trak", b"edts", b"mdia"})


class Box(NamedTuple):
    """A box, as ISO/IEC 14496-12 calls its pieces.

    Attributes:
        path: its type, behind those of the boxes that it lies in.
        start: place of its content in the file.
        end: place behind it.
    """

    path: tuple[bytes, ...]
    start: int
    end: int


def walk_boxes(file: BinaryIO) -> Iterator[Box]:
    """Yield the boxes of a file as they stand in it, those inside another behind it."""
    yield from _walk(file, 0, file.seek(0, os.SEEK_END), ())


def _walk(file: BinaryIO, start: int, stop: int, above: tuple[bytes, ...]) -> Iterator[Box]:
    while start + 8 <= stop:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        content = start + 8
        if size == 1 and len(head) == 16:
            size, content = int.from_bytes(head[8:], "big"), start + 16
        end = stop if size == 0 else start + size
        if end < content:
            return
        box = Box((*above, kind), content, end)
        yield box
        if kind in _CONTAINERS:
            yield from _walk(file, content, end, box.path)
        start = end


def movie_seconds(path: Path) -> float | None:
    """Duration in the movie header (`moov.mvhd`, ISO/IEC 14496-12), to the microsecond.

    None where there is no such header, or it states none, as in fragmented files.
    """
    with path.open("rb") as file:
        header = next((b for b in walk_boxes(file) if b.path == (b"moov", b"mvhd")), None)
        return None if header is None else _read_duration(file, header.start)


def _read_duration(file: BinaryIO, place: int) -> float | None:
    file.seek(place)
    head = file.read(32)
    layout, skipped = (">IQ", 20) if head[:1] == b"\x01" else (">II", 12)
    try:
        scale, ticks = struct.unpack_from(layout, head, skipped)
    except struct.error:
        return None
    unknown = (1 << 8 * struct.calcsize(layout[2:])) - 1
    if not scale or not ticks or ticks == unknown:
        return None
    return float((2 * ticks * _MICROSECONDS + scale) // (2 * scale) / _MICROSECONDS)
