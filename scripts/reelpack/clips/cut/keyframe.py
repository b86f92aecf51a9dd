"""Cut by copying packets: from the keyframe before the window to the last that its frames need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from reelpack.clips.cut.mp4 import (
    choose_timescale,
    open_mp4,
    set_shown_ticks,
    write_packets,
)
from reelpack.clips.cut.sound import open_sound
from reelpack.clips.cut.window import AskedFrames, DecodeStamps, read_packet_index
from reelpack.core.errors import ClipError
from reelpack.video.index import VideoIndex
from reelpack.video.plan import packet_span
from reelpack.video.source import Packet, Source, clip_errors, open_source

COPIED_CODECS = frozenset(
    {"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"}
)


def copy_window(
    path: Path,
    target: Path,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
    comment: str,
) -> AskedFrames:
    """Write the packets and the sound of a window as an mp4 file; return what was asked for.

    The file's edit hides what only leads in, and what others need behind the end.

    Raises:
        ClipError: too_short, corrupt, no_video, missing; trim where mp4 does not hold the codec or
            the video's stamps do not say which packet is which frame.
    """
    index, decode_stamps = read_packet_index(path)
    problem = index.unplannable
    if index.codec not in COPIED_CODECS:
        problem = f"mp4 files do not hold {index.codec}"
    if problem:
        raise _refuse_copy(path, problem)
    if index.uncertain_start:
        asked = AskedFrames.of_frames(path, start_seconds, end_seconds)
    else:
        asked = AskedFrames.of_index(index, start_seconds, end_seconds)
    hidden = index.packet_pts[~index.packet_shown]
    if ((hidden >= asked.first) & (hidden < asked.window.end_pts)).any():
        raise _refuse_copy(path, "frames inside the window are hidden")
    span = _Span.of(index, asked, decode_stamps)
    scale = choose_timescale(asked.time_base)
    with (
        open_source(path) as source,
        open_sound(path, asked) as sound,
        clip_errors(path, "trim"),
        open_mp4(target, scale=scale, comment=comment) as output,
    ):
        track = output.add_stream_from_template(source.stream, opaque=True)
        sounds = [] if sound is None else [sound.add_to(output)]
        write_packets(output, span.packets(path, track, asked.first), *sounds)
    shown = (asked.window.end_pts - asked.first) * asked.time_base * scale
    set_shown_ticks(target, int(shown))
    return asked


def _refuse_copy(path: Path, problem: str) -> ClipError:
    return ClipError("trim", f"{path}: {problem}; allowed: trim: exact or virtual")


@dataclass(frozen=True)
class _Span:
    """The packets from a keyframe to the last that is needed; stamps in ticks of the source.

    Args:
        places: stamp -> position in the file, of all its packets.
        pts: stamps of the span's packets in decode order.
        times: stamp -> decode stamp and duration, of those to copy; decode stamps rise and are
            never behind the stamps.
        entries: stamps of the packets at which decoding may start.
    """

    places: dict[int, int]
    pts: list[int]
    times: dict[int, tuple[int, int]]
    entries: frozenset[int]

    @classmethod
    def of(cls, index: VideoIndex, asked: AskedFrames, decode_stamps: DecodeStamps) -> _Span:
        begin, end = np.searchsorted(index.pts, (asked.pts[0], asked.pts[-1])).tolist()
        start, last = packet_span(index, begin, end + 1)
        pts = index.packet_pts[start : last + 1].tolist()
        known = dict(zip(pts, decode_stamps[start : last + 1], strict=True))
        # Leading frames refer to what is left behind; no shown frame refers to them.
        copied = [stamp for stamp in pts if start == 0 or stamp >= pts[0]]
        return cls(
            places={stamp: place for place, stamp in enumerate(index.packet_pts.tolist())},
            pts=pts,
            times=_find_decode_times(copied, known, asked),
            entries=frozenset({pts[0], *index.packet_pts[index.entries].tolist()}),
        )

    def packets(self, path: Path, track: av.VideoStream, first: int) -> Iterator[Packet]:
        """Read the packets and move them to `track`, the stamp `first` becoming 0.

        Raises:
            ClipError: corrupt; the file is not the one that was indexed.
        """
        for packet in self._read(path):
            stamp = packet.pts or 0
            if stamp not in self.times:
                continue
            dts, packet.duration = self.times[stamp]
            packet.pts, packet.dts = stamp - first, dts - first
            packet.stream = track
            # Players begin at the last packet marked so before the edit, and keyframes of open
            # groups of frames are not entries.
            packet.is_keyframe = stamp in self.entries
            yield packet

    def _read(self, path: Path) -> Iterator[Packet]:
        for seek in (True, False):
            with open_source(path) as source:
                packets = self._from_entry(source, seek=seek)
                first = next(packets, None)
                if first is not None:
                    yield first
                    yield from packets
                    return
        raise ClipError("corrupt", f"{path}: its packets are not those of its index")

    def _from_entry(self, source: Source, *, seek: bool) -> Iterator[Packet]:
        """Packets from the entry to the last; none where the seek went past the entry."""
        entry = self.places[self.pts[0]]
        if seek and entry:
            source.seek(self.pts[0])
        packets = source.packets(mend=False)
        for packet in packets:
            if self.places.get(packet.pts or 0, entry + 1) > entry:
                return
            if packet.pts == self.pts[0]:
                yield packet
                break
        for packet, stamp in zip(packets, self.pts[1:], strict=False):
            if packet.pts != stamp:
                raise ClipError("corrupt", f"{source.path}: its packets are not those of its index")
            yield packet


def _find_decode_times(
    pts: list[int], known: dict[int, int | None], asked: AskedFrames
) -> dict[int, tuple[int, int]]:
    """Decode stamp and duration for each of `pts`, near those of the source (None: not known).

    A track's ticks are all that says how long a frame stays, so the last one's follow from how
    long it is to be shown.
    """
    usual, shown = asked.usual_duration, int(asked.durations[-1])
    ends = pts.index(int(asked.pts[-1]))
    found = [known[stamp] for stamp in pts]
    dts = [stamp if dts is None else min(dts, stamp) for dts, stamp in zip(found, pts, strict=True)]
    durations = [shown if ends == len(pts) - 1 else usual]
    for place in range(len(pts) - 2, -1, -1):
        wanted = dts[place + 1] - shown if place == ends else dts[place]
        if place == 0 and ends:
            # Where leading frames were left out, so that the rate stays.
            wanted = min(pts[0], max(wanted, dts[1] - usual))
        dts[place] = min(wanted, dts[place + 1] - 1)
        durations.append(dts[place + 1] - dts[place])
    return dict(zip(pts, zip(dts, reversed(durations), strict=True), strict=True))
