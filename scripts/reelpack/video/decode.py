"""Decode the chosen frames of a clip, scaled to RGB, feeding the decoder only what they need.

Several requests may share one decode of a clip: the decoder then sees what their union needs, and
every request gets what it would get alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from reelpack.config.sampling import Sampling
from reelpack.core.errors import ClipError
from reelpack.video import kept
from reelpack.video.convert import Converter, Image
from reelpack.video.damage import LIBAV_ERRORS
from reelpack.video.decoded import DecodedFrame as DecodedFrame
from reelpack.video.decoded import Request as Request
from reelpack.video.decoder import MismatchError, all_frames, planned_frames
from reelpack.video.geometry import Scale
from reelpack.video.index import VideoIndex, index_video, read_index
from reelpack.video.order import FrameQueue, put_at_places
from reelpack.video.plan import plan
from reelpack.video.program import program_frames
from reelpack.video.sampling import Indices, filter_rate, find_window, sample
from reelpack.video.source import StreamChoice, raise_clip_error
from reelpack.video.stills import index_stills, is_still, read_stills

# A clip whose packets fit is read once; of a larger file, parts are read again.
KEPT_BYTES = 64 << 20
# Frames are held back up to this size, so that a wrong index is noticed before they are given.
HELD_BYTES = 32 << 20


class ContradictionError(ClipError):
    """Frames were given that decoding in full does not give: begin again with `indexed=False`."""


class SharedDecodeError(Exception):
    """What several requests share failed; each alone may still succeed, or fail in its own way."""


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
    indexed: bool = True,
) -> Iterator[DecodedFrame]:
    """Decode the frames that `sampling` chooses, in its order; a repeated one shares its arrays.

    A frame file is a clip of one frame; with a `record` (its number from 1) the path is that of a
    TFRecord file, frame n of which stands at n seconds.

    With `planned` the decoder sees only what the chosen frames need; without it, everything. Both
    give the same frames. A clip that cannot be planned, or whose frames turn out not to be those
    of its index, is decoded in full, twice: once to see its frames, once to take them.

    `indexed` False decodes in full from the first. With `decoder: program` neither counts: see
    `program.program_frames`.

    Raises:
        ContradictionError: the index proves wrong behind more frames than are held back.
        ClipError: "missing", "corrupt", "no_video", "decode", "refused" or "too_short"; frames that
            came before the error belong to no usable clip.
    """
    job = _Job(Path(path), (Request(sampling, tuple(scales)),), start_seconds, end_seconds)
    if is_still(job.path, record):
        yield from _frames(job.by_reading(record))
        return
    if sampling.decoder == "program":
        yield from program_frames(
            job.path, job.requests[0], start_seconds=start_seconds, end_seconds=end_seconds
        )
        return
    given: list[float] = []
    while indexed:
        held = _HeldFrames(_frames(job.by_index(index, skip=planned)))
        try:
            yield from _go_on(held, given, job.path)
            return
        except MismatchError as error:
            indexed = isinstance(error, SoughtError)
    yield from _go_on(_frames(job.by_decoding()), given, job.path)


def _go_on(
    frames: Iterable[DecodedFrame], given: list[float], path: Path
) -> Iterator[DecodedFrame]:
    """Pass on the frames behind those that were given before, and note their seconds in `given`.

    Raises:
        ContradictionError: these frames do not begin with those that were given.
    """
    before = len(given)
    for number, frame in enumerate(frames):
        if number >= before:
            given.append(frame.pts_seconds)
            yield frame
        elif given[number] != frame.pts_seconds:
            raise ContradictionError("decode", f"{path}: its frames contradict its time stamps")


class _HeldFrames:
    """Frames, the first of which are only given when all have come, or too many to hold."""

    def __init__(self, frames: Iterator[DecodedFrame]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[DecodedFrame]:
        held: list[DecodedFrame] = []
        size = 0
        for frame in self._frames:
            held.append(frame)
            size += sum(len(i) if isinstance(i, bytes) else i.nbytes for i in frame.images)
            if size > HELD_BYTES:
                break
        yield from held
        held.clear()
        yield from self._frames


def decode_requests(
    path: Path | str,
    requests: Sequence[Request],
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    record: int | None = None,
) -> Iterator[tuple[int, DecodedFrame | ClipError]]:
    """Decode a clip once for several requests.

    Yields:
        (number of the request, frame), each request's frames in its own order, those of all
        requests as the decoder comes to them; (number, error) for a request whose sampling cannot
        be made of this clip.

    Raises:
        SharedDecodeError: the clip, or the part of it that all requests together need, cannot be
            decoded in one go: decode each request by itself, which decides its own success.
    """
    job = _Job(Path(path), tuple(requests), start_seconds, end_seconds)
    if any(request.sampling.decoder == "program" for request in requests):
        raise SharedDecodeError(f"{path}: the ffmpeg program decodes for one recipe at a time")
    try:
        if is_still(job.path, record):
            yield from job.by_reading(record)
            return
        try:
            yield from job.by_index(None, skip=True)
        except _UnplannableError:
            yield from job.by_decoding()
    except (ClipError, MismatchError) as error:
        raise SharedDecodeError(str(error)) from error


class SoughtError(MismatchError):
    """The frames are not those of the index, perhaps since the file was not read from its start."""


class _UnplannableError(MismatchError):
    """The index says itself that it cannot be trusted; nothing has been decoded yet."""


def _frames(found: Iterator[tuple[int, DecodedFrame | ClipError]]) -> Iterator[DecodedFrame]:
    """The frames of a single request; its error is raised."""
    for _, frame in found:
        if isinstance(frame, ClipError):
            raise frame
        yield frame


@dataclass(frozen=True)
class _Job:
    path: Path
    requests: tuple[Request, ...]
    start_seconds: float | None
    end_seconds: float | None

    @property
    def stream(self) -> StreamChoice:
        """The video stream that all requests want."""
        choices = {request.sampling.stream for request in self.requests}
        if len(choices) > 1:
            raise SharedDecodeError(f"{self.path}: the requests want different streams")
        return choices.pop()

    @property
    def _is_part(self) -> bool:
        return self.start_seconds is not None or self.end_seconds is not None

    def by_index(
        self, index: VideoIndex | None, *, skip: bool
    ) -> Iterator[tuple[int, DecodedFrame | ClipError]]:
        """Trust the index, and notice where it is wrong.

        Raises:
            SoughtError: it may be the seeking that is wrong; once more, the file is not sought.
            MismatchError: the index is wrong.
        """
        with kept.open_video(self.path, self.stream) as video:
            if index is None:
                index = video.index or self._index(video)
            if not index.plannable:
                raise _UnplannableError(index.unplannable or "a start in mid-stream")
            wanted, errors = self._sample(index)
            yield from errors
            if not wanted:
                return
            union = np.unique(
                np.concatenate([*(chosen for _, chosen in wanted), self._judged(index)])
            )
            steps = plan(index, union, skip=skip)
            frames = planned_frames(video.source, video.reader(index), index, steps)
            # Stamps are in the order of the frames, so the decoder's go straight to their places.
            places = zip(union.tolist(), index.pts[union].tolist(), strict=True)
            try:
                yield from self._converted(index, wanted, put_at_places(frames, places))
            except MismatchError as error:
                if video.forbid_seeking():
                    raise SoughtError(str(error)) from error
                raise
            if self._is_part:
                video.leave_open()

    def _index(self, video: kept.Video) -> VideoIndex:
        packets = kept.KeptPackets(KEPT_BYTES)
        index = read_index(video.source, keep=packets.append)
        video.learn(index, packets.packets)
        return index

    def by_decoding(self) -> Iterator[tuple[int, DecodedFrame | ClipError]]:
        """Decode everything to learn its stamps, then again to take the chosen frames."""
        key = kept.FileKey.of(self.path, self.stream)
        index = kept.DECODED.get(key)
        if index is None:
            shown = [
                (stamp, duration)
                for stamp, duration, _ in all_frames(self.path, stream=self.stream)
            ]
            stamps, durations = np.array(shown, dtype=np.int64).T
            index = index_video(self.path, stream=self.stream).with_frames(stamps, durations)
            kept.DECODED.put(key, index)
        wanted, errors = self._sample(index)
        yield from errors
        numbers = {number for _, chosen in wanted for number in chosen.tolist()}
        every = enumerate(all_frames(self.path, stream=self.stream))
        frames = (
            (number, frame)
            for number, (_, _, frame) in itertools.islice(every, max(numbers, default=-1) + 1)
            if number in numbers
        )
        yield from self._converted(index, wanted, frames)

    def by_reading(self, record: int | None) -> Iterator[tuple[int, DecodedFrame | ClipError]]:
        """Read frames that are no video, and take the chosen ones."""
        stills = read_stills(self.path, record)
        index = index_stills(self.path, stills)
        wanted, errors = self._sample(index)
        yield from errors
        numbers = sorted({number for _, chosen in wanted for number in chosen.tolist()})
        frames = (
            (number, av.VideoFrame.from_ndarray(stills[number], format="rgb24"))
            for number in numbers
        )
        yield from self._converted(index, wanted, frames)

    def _judged(self, index: VideoIndex) -> Indices:
        """Frames that must decode whether or not they are chosen."""
        if all(request.sampling.damage == "chosen" for request in self.requests):
            return np.empty(0, dtype=np.int64)
        window = find_window(index, self.start_seconds, self.end_seconds)
        return np.arange(window.begin, window.stop, dtype=np.int64)

    def _sample(
        self, index: VideoIndex
    ) -> tuple[list[tuple[int, Indices]], list[tuple[int, ClipError]]]:
        """The frames of each request, or why it gets none."""
        wanted, errors = [], []
        for number, request in enumerate(self.requests):
            try:
                chosen = sample(
                    index,
                    request.sampling,
                    start_seconds=self.start_seconds,
                    end_seconds=self.end_seconds,
                )
                wanted.append((number, chosen))
            except ClipError as error:
                errors.append((number, error))
        return wanted, errors

    def _converted(
        self,
        index: VideoIndex,
        wanted: Sequence[tuple[int, Indices]],
        frames: Iterator[tuple[int, av.VideoFrame]],
    ) -> Iterator[tuple[int, DecodedFrame]]:
        """Convert each frame once per scale, and give it as often as requests ask for it."""
        converters = {
            self._converter_key(number, scale): Converter(
                scale, index, rate=self._rate(index, number)
            )
            for number, request in enumerate(self.requests)
            for scale in request.scales
        }
        queues: list[tuple[int, tuple[Scale, ...], FrameQueue[DecodedFrame]]] = [
            (n, self.requests[n].scales, FrameQueue(chosen.tolist())) for n, chosen in wanted
        ]
        for place, decoded in frames:
            images: dict[tuple[int, Scale], Image] = {}
            seconds = float((int(index.pts[place]) - index.first_pts) * index.time_base)
            for number, scales, queue in queues:
                if place not in queue.uses:
                    continue
                keys = [self._converter_key(number, scale) for scale in scales]
                for key in keys:
                    if key not in images:
                        images[key] = self._convert(converters[key], decoded)
                frame = DecodedFrame(seconds, tuple(images[key] for key in keys))
                for ready in queue.add(place, frame):
                    yield number, ready
        if any(queue.open for _, _, queue in queues):
            raise MismatchError("a wanted frame did not come out")

    def _convert(self, converter: Converter, decoded: av.VideoFrame) -> Image:
        try:
            return converter(decoded)
        except LIBAV_ERRORS as error:
            raise_clip_error(self.path, "decode", error)

    def _rate(self, index: VideoIndex, number: int) -> Fraction | None:
        return filter_rate(
            index,
            self.requests[number].sampling,
            start_seconds=self.start_seconds,
            end_seconds=self.end_seconds,
        )

    def _converter_key(self, number: int, scale: Scale) -> tuple[int, Scale]:
        """Requests share a converter, but for JPEG files that follow from those before them."""
        return (number if scale.jpeg == "ffmpeg" else -1), scale
