"""An mp4 file whose one edit shows a span of its frames, in the exact ticks of the source.

Packets flow in, a file flows out. Frames before tick 0 lead in and are hidden; so are those at and
behind the span's end, which others may need for their decoding. libavformat writes the edit that
hides the first; it cannot hide the last, so `set_shown_ticks` shortens that edit (ISO 14496-12, 8.6.6).
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from reelpack.core.errors import ClipError
from reelpack.video.boxes import Box, walk_boxes
from reelpack.video.source import Packet, open_source

# Below this libavformat multiplies the scale by itself, and so would the numbers below.
_SMALLEST_TIMESCALE = 10_000
_LARGEST_TIMESCALE = (1 << 31) - 1


def choose_timescale(time_base: Fraction) -> int:
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
        # Edits are written in this one; a coarser one would round away frames.
        "movie_timescale": str(scale),
        # What lies before 0 leads in: it must not be moved to 0.
        "avoid_negative_ts": "disabled",
        "fflags": "+bitexact",
    }
    output = av.open(f"file:{target}", "w", format="mp4", options=options)
    output.metadata["comment"] = comment
    return output


def read_comment(path: Path) -> str | None:
    """Return the comment of an mp4 file; None where there is no file, or none in it."""
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
    """End the video track's last edit `ticks` after its start, and have the headers say so.

    Args:
        path: a file by `open_mp4`, closed.
        ticks: length of the span that is shown, in the movie's timescale.

    Raises:
        ValueError: the file has no video track with an edit.
    """
    with path.open("r+b") as file:
        boxes = list(walk_boxes(file))
        tracks = _find_tracks(file, boxes)
        video = next((track for track in tracks if track.is_video and track.edits), None)
        if video is None:
            raise ValueError("no edit list of a video track")
        file.seek(video.edits)
        version, _, count = struct.unpack(">B3sI", file.read(8))
        # Each entry: duration, media time, rate; the first two of 8 bytes in version 1.
        last = video.edits + 8 + (count - 1) * (20 if version else 12)
        _Number(last, is_long=version == 1).write(file, ticks)
        lengths = [_find_length(file, track.header, track_number=4) for track in tracks]
        lengths[tracks.index(video)].write(file, ticks)
        movie = next(box.start for box in boxes if box.path == (b"moov", b"mvhd"))
        longest = max(length.read(file) for length in lengths)
        _find_length(file, movie, track_number=0).write(file, longest)


@dataclass(frozen=True)
class _Number:
    """Place of an unsigned number of 4 or 8 bytes."""

    place: int
    is_long: bool

    def read(self, file: BinaryIO) -> int:
        file.seek(self.place)
        return int.from_bytes(file.read(8 if self.is_long else 4), "big")

    def write(self, file: BinaryIO, value: int) -> None:
        file.seek(self.place)
        file.write(value.to_bytes(8 if self.is_long else 4, "big"))


def _find_length(file: BinaryIO, header: int, *, track_number: int) -> _Number:
    """The duration in the content of a `tkhd` box, or `mvhd`, which lacks `track_number` bytes."""
    file.seek(header)
    is_long = file.read(1) == b"\x01"
    return _Number(header + (24 if is_long else 16) + track_number, is_long)


@dataclass
class _Track:
    """Places of a track's `tkhd` and `elst` contents, 0 where it has none."""

    header: int = 0
    edits: int = 0
    is_video: bool = False


def _find_tracks(file: BinaryIO, boxes: Iterable[Box]) -> list[_Track]:
    tracks: list[_Track] = []
    for path, start, _ in boxes:
        match path:
            case (b"moov", b"trak"):
                tracks.append(_Track())
            case (b"moov", b"trak", b"tkhd"):
                tracks[-1].header = start
            case (b"moov", b"trak", b"edts", b"elst"):
                tracks[-1].edits = start
            case (b"moov", b"trak", b"mdia", b"hdlr"):
                file.seek(start + 8)
                tracks[-1].is_video = file.read(4) == b"vide"
    return tracks
