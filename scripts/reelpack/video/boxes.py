"""What MP4 and MOV files state in their movie header, which libavformat does not pass on."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MICROSECONDS = 1_000_000


def movie_seconds(path: Path) -> float | None:
    """Duration in the movie header (`moov.mvhd`, ISO/IEC 14496-12), to the microsecond.

    None where there is no such header, or it states none, as in fragmented files.
    """
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        for kind, start, stop in _boxes(file, 0, end):
            if kind == b"moov":
                for inner, place, _ in _boxes(file, start, stop):
                    if inner == b"mvhd":
                        return _duration(file, place)
    return None


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first content byte and end of each box between two places of the file."""
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
        yield kind, content, end
        start = end


def _duration(file: BinaryIO, place: int) -> float | None:
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
