"""An mp4 file whose one edit shows a span of its pictures, in the exact ticks of the source.

Packets flow in, a file flows out. Pictures before tick 0 lead in and are hidden; so are those at and
behind the span's end, which others may need for their decoding. libavformat writes the edit that
hides the first; it cannot hide the last, so `set_shown_ticks` shortens that edit (ISO 14496-12, 8.6.6).
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import av

from reelpack.errors import ClipError
from reelpack.video.source import open_source

Packet: TypeAlias = "av.Packet[Any]"

# Below this libavformat multiplies the scale by itself, and so would the numbers below.
_SMALLEST_TIMESCALE = 10_000
_LARGEST_TIMESCALE = (1 << 31) - 1
_CONTAINERS = frozenset({b"moov", b"trak", b"edts", b"mdia"})


def timescale(time_base: Fraction) -> int:
    """Ticks per second of a track that holds all times of a stream of `time_base` exactly.

    Raises:
        ClipError: "trim", the stream's ticks are too short for an mp4 file.
    """
    scale = time_base.denominator
    if scale > _LARGEST_TIMESCALE:
        raise ClipError("trim", f"time base {time_base} s is too fine for an mp4 file")
    while scale < _SMALLEST_TIMESCALE:
        scale *= 2
    return scale


def open_mp4(target: Path, *, scale: int, comment: str) -> av.container.OutputContainer:
    """Open an mp4 file for writing; the video track and the edits count in ticks of 1/`scale` s."""
    options = {
        "video_track_timescale": str(scale),
        # Edits are written in this one; a coarser one would round away pictures.
        "movie_timescale": str(scale),
        # What lies before 0 leads in: it must not be moved to 0.
        "avoid_negative_ts": "disabled",
        "fflags": "+bitexact",
    }
    output = av.open(f"file:{target}", "w", format="mp4", options=options)
    output.metadata["comment"] = comment
    return output


def read_comment(path: Path) -> str | None:
    """Return the comment of an mp4 file; None where there is no file, or no such one."""
    try:
        with open_source(path) as source:
            return source.container.metadata.get("comment")
    except ClipError:
        return None


def write_packets(output: av.container.OutputContainer, *tracks: Iterable[Packet]) -> None:
    """Write the packets of several tracks, each in decode order, interleaved by time."""
    for packet in heapq.merge(*tracks, key=_decode_seconds):
        output.mux(packet)


def _decode_seconds(packet: Packet) -> Fraction:
    return Fraction(packet.dts or 0) * packet.time_base


def set_shown_ticks(path: Path, ticks: int) -> None:
    """End the video track's last edit `ticks` after its start, in the movie's timescale.

    Args:
        path: a file by `open_mp4`, closed.
        ticks: length of the span that is shown.
    """
    with path.open("r+b") as file:
        place = _video_edit_list(file)
        file.seek(place)
        version, _, count = struct.unpack(">B3sI", file.read(8))
        # Each entry: duration, media time, rate; the first two of 8 bytes in version 1.
        entry = 20 if version else 12
        file.seek(place + 8 + (count - 1) * entry)
        file.write(struct.pack(">Q" if version else ">I", ticks))


def _video_edit_list(file: BinaryIO) -> int:
    """Place of the content of the video track's `elst` box."""
    found: int | None = None
    for path, start, size in _boxes(file, 0, file.seek(0, 2), ()):
        if path == (b"moov", b"trak"):
            found = None
        elif path == (b"moov", b"trak", b"edts", b"elst"):
            found = start
        elif path == (b"moov", b"trak", b"mdia", b"hdlr") and found is not None:
            file.seek(start)
            if file.read(min(size, 12))[8:12] == b"vide":
                return found
    raise ValueError("no edit list of a video track")


def _boxes(
    file: BinaryIO, start: int, end: int, above: tuple[bytes, ...]
) -> Iterator[tuple[tuple[bytes, ...], int, int]]:
    """Path of types, start and size of the content of every box between two places, depth first."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        size = size or end - start
        path = (*above, kind)
        yield path, start + head, size - head
        if kind in _CONTAINERS:
            yield from _boxes(file, start + head, start + size, path)
        start += size
