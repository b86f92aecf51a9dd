"""Run the decoder: over a plan's packets, or over everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error

from reelpack.core.errors import ClipError
from reelpack.video.index import VideoIndex
from reelpack.video.libav_log import losses
from reelpack.video.plan import Plan, Segment
from reelpack.video.source import Packet, Source, StreamChoice, clip_errors, open_source


class MismatchError(Exception):
    """The decoder's frames are not those that the index promised."""


def planned_frames(
    source: Source, packets: Iterable[Packet], index: VideoIndex, plan: Plan
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode a plan: (stamp, frame) for each wanted stamp, rising.

    `packets` are all packets of the stream in decode order. Every frame that comes out is checked
    against the index, wanted or not.

    Raises:
        MismatchError: the decoder fails, or its frames are not the ones expected.
    """
    decoder = source.decoder()
    stream = enumerate(packets)
    for segment in plan.segments:
        check = _Checker(segment)
        for wanted in segment.packets.tolist():
            packet = next((packet for position, packet in stream if position == wanted), None)
            if packet is None or packet.pts != index.packet_pts[wanted]:
                raise MismatchError("the packets are not those of the index")
            yield from check.wanted(_decode(decoder, packet))
        if not check.done:
            yield from check.wanted(_decode(decoder, None))
            if not check.done:
                raise MismatchError("a wanted frame did not come out")
        decoder.flush_buffers()


def all_frames(
    path: Path, *, stream: StreamChoice = "first"
) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """Decode a file from end to end: (stamp, duration, frame) in the order of the decoder.

    A last packet that cannot be decoded is left out, where the container says that nothing is
    missing behind it: some encoders end in one.

    Raises:
        ClipError: "decode" when another packet cannot be decoded.
    """
    with open_source(path, stream=stream) as source, clip_errors(path, "decode"):
        decoder = source.decoder()
        clock = _Clock(source)
        damage: av.error.FFmpegError | None = None
        for packet in source.packets():
            if damage is not None:
                raise damage
            before = losses()
            try:
                frames = decoder.decode(packet)
            except av.error.InvalidDataError as error:
                if not source.promises_length:
                    raise
                damage, frames = error, []
            if losses() != before:
                raise ClipError("decode", f"{path}: a frame that others refer to is missing")
            for frame in frames:
                yield *clock.read(frame), frame
        for frame in decoder.decode(None):
            yield *clock.read(frame), frame


class _Checker:
    """Compares the frames of one segment with those expected and passes on the wanted ones."""

    def __init__(self, segment: Segment) -> None:
        self._expected = iter(segment.expected)
        self._wanted = segment.wanted
        self._missing = len(segment.wanted)

    @property
    def done(self) -> bool:
        return self._missing == 0

    def wanted(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        for frame in frames:
            if frame.pts != next(self._expected, None) or frame.is_corrupt:
                raise MismatchError(f"unexpected frame at {frame.pts}")
            if frame.pts in self._wanted:
                self._missing -= 1
                yield frame.pts, frame


class _Clock:
    """Stamps of decoded frames as the ffmpeg program gives them to its filters.

    libavcodec's best effort: presentation stamps, or decode stamps once those have gone back less
    often (`guess_correct_pts`). Where both are missing, stamps continue by durations.
    """

    def __init__(self, source: Source) -> None:
        rate = source.stream.average_rate
        ticks = 1 / (rate * source.time_base) if rate else Fraction(1)
        self._usual_duration = max(1, int(ticks + Fraction(1, 2)))
        self._last: int | None = None
        self._duration = 0
        self._last_pts = self._last_dts = -(1 << 63)
        self._faulty_pts = self._faulty_dts = 0

    def read(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Stamp and duration in ticks of the stream's time base."""
        stamp = self._best_effort(frame.pts, frame.dts)
        if stamp is None:
            stamp = 0 if self._last is None else self._last + self._duration
        self._duration = frame.duration or self._usual_duration
        self._last = stamp
        return stamp, self._duration

    def _best_effort(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        if pts is not None and (self._faulty_pts <= self._faulty_dts or dts is None):
            return pts
        return dts


def _decode(decoder: av.VideoCodecContext, packet: Packet | None) -> list[av.VideoFrame]:
    before = losses()
    try:
        frames = decoder.decode(packet)
    except av.error.FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise MismatchError(str(error)) from error
    if losses() != before:
        raise MismatchError("a frame that others refer to is missing")
    return frames
