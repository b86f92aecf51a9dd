"""Run the decoder: over a plan's packets, or over everything."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import av

from reelpack.video.damage import Decoding
from reelpack.video.index import VideoIndex
from reelpack.video.plan import Plan, Segment
from reelpack.video.reader import MismatchError as MismatchError
from reelpack.video.reader import ReadPacket
from reelpack.video.source import Packet, Source, StreamChoice, open_source


def planned_frames(
    source: Source, read: ReadPacket, index: VideoIndex, plan: Plan
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode a plan: (stamp, frame) for each wanted stamp, rising.

    `read` gives packets by their places in decode order, which rise. Every frame that comes out is
    checked against the index, wanted or not.

    Raises:
        MismatchError: libav complains, or the frames are not the ones expected.
    """
    decoder = source.decoder()
    decoding = Decoding(decoder)
    for segment in plan.segments:
        check = _Checker(segment)
        for wanted in segment.packets.tolist():
            packet = read(wanted)
            if packet.pts != index.packet_pts[wanted]:
                raise MismatchError("the packets are not those of the index")
            yield from check.wanted(_decode(decoding, packet))
        if not check.done:
            yield from check.wanted(_decode(decoding, None))
            if not check.done:
                raise MismatchError("a wanted frame did not come out")
        decoder.flush_buffers()


def all_frames(
    path: Path, *, stream: StreamChoice = "first"
) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """Decode a file from end to end: (stamp, duration, frame) in the order of the decoder.

    Raises:
        ClipError: "decode" when libav complains, see `damage`; "corrupt".
    """
    with open_source(path, stream=stream) as source:
        decoding, judge = source.decoding(), source.judge()
        clock = source.clock()
        for packet in itertools.chain(source.packets(), [None]):
            frames = decoding.decode(packet)
            judge.see(packet, frames, decoding.complaint)
            for frame in frames:
                yield *clock.read(frame), frame
        judge.end()


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
            if frame.pts != next(self._expected, None):
                raise MismatchError(f"unexpected frame at {frame.pts}")
            if frame.pts in self._wanted:
                self._missing -= 1
                yield frame.pts, frame


def _decode(decoding: Decoding, packet: Packet | None) -> list[av.VideoFrame]:
    frames = decoding.decode(packet)
    if decoding.complaint is not None:
        raise MismatchError(decoding.complaint)
    return frames
