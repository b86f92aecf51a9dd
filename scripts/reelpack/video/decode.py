"""Decode the chosen pictures of a clip, scaled to RGB, feeding the decoder only what they need."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from reelpack.errors import ClipError
from reelpack.video.convert import Converter, Image
from reelpack.video.geometry import Picture, Scale
from reelpack.video.index import VideoIndex, index_video, read_index
from reelpack.video.jpeg import jpeg_pixels
from reelpack.video.pictures import MismatchError, all_pictures, planned_pictures
from reelpack.video.plan import plan
from reelpack.video.sampling import Indices, Sampling, filter_rate, sample
from reelpack.video.source import Packet, clip_errors, open_source
from reelpack.video.stills import index_stills, is_still, read_stills

# A clip whose packets fit is read once; a larger file is read again instead of being held.
KEPT_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One chosen picture.

    Args:
        pts_seconds: its time in seconds from the first shown picture of the stream.
        images: one for each scale asked for: RGB `uint8[height, width, 3]`, or a JPEG file.
    """

    pts_seconds: float
    images: tuple[Image, ...]

    @property
    def pixels(self) -> tuple[Picture, ...]:
        """The images as RGB `uint8[height, width, 3]`, JPEG files decoded."""
        return tuple(
            jpeg_pixels(image) if isinstance(image, bytes) else image for image in self.images
        )


def decode_frames(
    path: Path | str,
    *,
    sampling: Sampling,
    scales: Sequence[Scale],
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    record: int | None = None,
    index: VideoIndex | None = None,
    planned: bool = True,
) -> Iterator[DecodedFrame]:
    """Decode the pictures that `sampling` chooses, in order; a repeated one shares its arrays.

    A picture file is a clip of one frame; with a `record` (its number from 1) the path is that of a
    TFRecord file, picture n of which stands at n seconds.

    With `planned` the decoder sees only what the chosen pictures need; without it, everything. Both
    give the same frames. A clip that cannot be planned, or whose pictures turn out not to be those
    of its index, is decoded in full, twice: once to see its pictures, once to take them.

    Raises:
        ClipError: "missing", "corrupt", "no_video", "decode", "refused" or "too_short"; frames that
            came before the error belong to no usable clip.
    """
    job = _Job(Path(path), sampling, tuple(scales), start_seconds, end_seconds)
    if is_still(job.path, record):
        yield from job.by_reading(record)
        return
    yielded: list[float] = []
    with contextlib.suppress(MismatchError):
        for frame in job.by_index(index, skip=planned):
            yielded.append(frame.pts_seconds)
            yield frame
        return
    for number, frame in enumerate(job.by_decoding()):
        if number >= len(yielded):
            yield frame
        elif yielded[number] != frame.pts_seconds:
            raise ClipError("decode", f"{path}: its pictures contradict its time stamps")


@dataclass(frozen=True)
class _Job:
    path: Path
    sampling: Sampling
    scales: tuple[Scale, ...]
    start_seconds: float | None
    end_seconds: float | None

    def by_index(self, index: VideoIndex | None, *, skip: bool) -> Iterator[DecodedFrame]:
        """Trust the index, and notice where it is wrong."""
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open_source(self.path))
            packets: Iterable[Packet] | None
            if index is None:
                kept = _KeptPackets()
                index = read_index(source, keep=kept.append)
                packets = kept.packets
            else:
                packets = source.packets()
            if not index.plannable:
                raise MismatchError(index.unplannable)
            if packets is None:
                source = stack.enter_context(open_source(self.path))
                packets = source.packets()
            chosen = self._sample(index)
            pictures = planned_pictures(source, packets, index, plan(index, chosen, skip=skip))
            stamps = index.pts[chosen].tolist()
            yield from self._converted(index, stamps, stamps, pictures)

    def by_decoding(self) -> Iterator[DecodedFrame]:
        """Decode everything to learn its stamps, then again to take the chosen pictures."""
        shown = [(stamp, duration) for stamp, duration, _ in all_pictures(self.path)]
        if not shown:
            raise ClipError("decode", f"{self.path}: no picture could be decoded")
        stamps, durations = np.array(shown, dtype=np.int64).T
        index = dataclasses.replace(index_video(self.path), pts=stamps, durations=durations)
        chosen = self._sample(index)
        numbers = set(chosen.tolist())
        pictures = (
            (number, frame)
            for number, (_, _, frame) in enumerate(all_pictures(self.path))
            if number in numbers
        )
        yield from self._converted(index, chosen.tolist(), stamps[chosen].tolist(), pictures)

    def by_reading(self, record: int | None) -> Iterator[DecodedFrame]:
        """Read pictures that are no video, and take the chosen ones."""
        stills = read_stills(self.path, record)
        index = index_stills(self.path, stills)
        chosen = self._sample(index).tolist()
        pictures = (
            (number, av.VideoFrame.from_ndarray(stills[number], format="rgb24"))
            for number in dict.fromkeys(chosen)
        )
        yield from self._converted(index, chosen, index.pts[chosen].tolist(), pictures)

    def _sample(self, index: VideoIndex) -> Indices:
        return sample(
            index,
            self.sampling,
            start_seconds=self.start_seconds,
            end_seconds=self.end_seconds,
        )

    def _converted(
        self,
        index: VideoIndex,
        keys: Sequence[int],
        stamps: Sequence[int],
        pictures: Iterator[tuple[int, av.VideoFrame]],
    ) -> Iterator[DecodedFrame]:
        """Convert each picture once, and give it as often as its key is in `keys`."""
        rate = filter_rate(
            index, self.sampling, start_seconds=self.start_seconds, end_seconds=self.end_seconds
        )
        converters = [Converter(scale, index, rate=rate) for scale in self.scales]
        last: int | None = None
        images: tuple[Image, ...] = ()
        for key, stamp in zip(keys, stamps, strict=True):
            if key != last:
                last, frame = next(pictures, (-1, None))
                if last != key or frame is None:
                    raise MismatchError("a wanted picture did not come out")
                with clip_errors(self.path, "decode"):
                    images = tuple(converter(frame) for converter in converters)
            yield DecodedFrame(
                pts_seconds=float((stamp - int(index.pts[0])) * index.time_base), images=images
            )
        # Runs the decoder's own checks to their end.
        for _ in pictures:
            raise MismatchError("more pictures than wanted")


class _KeptPackets:
    """The packets of a clip while they are small enough to hold."""

    def __init__(self) -> None:
        self.packets: list[Packet] | None = []
        self._size = 0

    def append(self, packet: Packet) -> None:
        if self.packets is None:
            return
        self.packets.append(packet)
        self._size += packet.size
        if self._size > KEPT_BYTES:
            self.packets = None
