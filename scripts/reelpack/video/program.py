"""Frames from the ffmpeg program: a filter graph built with ffmpeg-python, read through a pipe.

The graph is that of VIMPAC and HERO: `fps`, then `scale`, to raw RGB. Rules that count frames are
asked twice: how many there are, and then for those at the places that `sampling.sample` chooses.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from reelpack.config.ffmpeg_program import find_program, read_version
from reelpack.config.sampling import Sampling
from reelpack.config.windows import frame_rate
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.video.convert import Image
from reelpack.video.damage import HELPERS, find_harmful
from reelpack.video.decoded import DecodedFrame, Request
from reelpack.video.decoder import all_frames
from reelpack.video.geometry import Scale, scaled_size, square_frame
from reelpack.video.index import VideoIndex, index_video
from reelpack.video.jpeg import jpeg_bytes
from reelpack.video.libav_log import Line
from reelpack.video.order import FrameQueue
from reelpack.video.sampling import Indices, filter_rate, sample
from reelpack.video.source import open_source

_LINE = re.compile(r"(?:\[(?P<writer>\S+) @ \w+\] )*\[(?P<level>\w+)\] (?P<text>.*)")
_TIME_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")
_STAMP = re.compile(r"n: *\d+ pts: *(-?\d+|NOPTS)")
# What the program says of its own output: that it is empty, or that a clock went back.
_OF_OUTPUT = re.compile(r"Nothing was written into output|Output file is empty|dts to muxer")
# Longer lists of frames are not written out in a filter.
_MOST_RANGES = 50
_BAD = ("error", "fatal", "panic")
_GLOBAL = (
    "-nostdin", "-nostats", "-hide_banner", "-v", "repeat+level+info", "-filter_complex_threads", "1",
)  # fmt: skip


def program_frames(
    path: Path,
    request: Request,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
) -> Iterator[DecodedFrame]:
    """Decode the frames that `request` asks for, as `decode.decode_frames` does.

    Every frame of the clip, or of its window, is decoded and counts, as with `damage: strict`. The
    stamp of a frame of `fps`, `favd` and `windows` is the time at which it is to be shown. A window
    that no frame begins in is "too_short". `fps` and its like show the first frame from the start of
    the file on, where the library does so only in files of several streams.

    Raises:
        ClipError: as `index_video` does; "decode" when the program complains; "too_short".
    """
    sampling = request.sampling
    index, seeks = _look(path, sampling)
    clip = _ProgramClip(index, sampling, start_seconds, end_seconds, seeks)
    order = clip.order()
    streams = [clip.read(scale, order) for scale in request.scales]
    frames = (
        DecodedFrame(each[0][0], tuple(image for _, image in each))
        for each in zip(*streams, strict=True)
    )
    if order is None:
        yield from _limited(frames, sampling)
        return
    ready: FrameQueue[DecodedFrame] = FrameQueue(order.tolist())
    for frame, place in zip(frames, np.unique(order).tolist(), strict=False):
        yield from ready.add(place, frame)
    if ready.open:
        raise ClipError("decode", f"{path}: the ffmpeg program gives other frames at each run")


def _look(path: Path, sampling: Sampling) -> tuple[VideoIndex, bool]:
    """The clip's index, and whether the program's `-ss` finds a window's first frame."""
    index = index_video(path, stream=sampling.stream)
    if index.plannable:
        with open_source(path, stream=sampling.stream) as source:
            return index, not source.clock_jumps
    # Packets do not tell the first stamp.
    stamp, duration, _ = next(all_frames(path, stream=sampling.stream))
    return index.with_frames(np.array([stamp]), np.array([duration])), False


def _limited(frames: Iterator[DecodedFrame], sampling: Sampling) -> Iterator[DecodedFrame]:
    """At most as many frames as a rule gives; `favd` makes up what is missing."""
    number, frame = 0, None
    # All of them are read, since damage behind the last one counts too.
    for number, frame in enumerate(frames, 1):
        if sampling.most is None or number <= sampling.most:
            yield frame
    if frame is not None and sampling.favd is not None:
        yield from itertools.repeat(frame, max(0, (sampling.most or 0) - number))
        number = max(number, sampling.favd)
    wanted = max(1, sampling.at_least or 1)
    if number < wanted:
        raise ClipError("too_short", f"{number} frames chosen, at least {wanted} are needed")


@dataclass(frozen=True)
class _ProgramClip:
    index: VideoIndex
    sampling: Sampling
    start_seconds: float | None
    end_seconds: float | None
    seeks: bool

    @property
    def program(self) -> str:
        return self.sampling.program or find_program("")

    @property
    def _lead(self) -> Fraction:
        """From the program's zero to that of windows."""
        return (self.index.first_pts - self.index.origin_pts) * self.index.time_base

    @property
    def shift(self) -> Fraction:
        """How far the program's zero is moved, in seconds: to the start of a window."""
        start = self.start_seconds
        return Fraction(0) if start is None else Fraction(start) + self._lead

    @property
    def end(self) -> Fraction | None:
        """Where the window ends on the program's clock, in seconds."""
        if self.end_seconds is None:
            return None
        return Fraction(self.end_seconds) + self._lead - self.shift

    @property
    def reach(self) -> Fraction:
        """Where the program may stop reading: behind the next frame, which ends the window's last one."""
        assert self.end is not None
        ticks = self.index.origin_pts + (self.end + self.shift) / self.index.time_base
        later = self.index.pts[self.index.pts >= int(ticks)][:2].tolist()
        stop = (later[-1] + 1 - self.index.origin_pts) * self.index.time_base if later else 0
        return max(stop - self.shift, self.end)

    def seconds(self, moment: Fraction) -> float:
        """A moment on the program's clock, in seconds from where windows count."""
        return float(moment + self.shift - self._lead)

    @cached_property
    def rate(self) -> Fraction | None:
        """Frames per second of the `fps` filter; None for rules that count frames."""
        windows = self.sampling.windows
        if windows is None:
            return filter_rate(
                self.index,
                self.sampling,
                start_seconds=self.start_seconds,
                end_seconds=self.end_seconds,
            )
        if windows.fps is None:
            return frame_rate(windows.clip_len, self._stated_seconds)
        return Fraction(windows.fps)

    @property
    def _stated_seconds(self) -> float | None:
        """How long the clip is to HERO's windows."""
        ends = [end for end in (self.end_seconds, self.index.stated_seconds) if end is not None]
        return max(min(ends) - (self.start_seconds or 0.0), 0.0) if ends else None

    def order(self) -> Indices | None:
        """The places of the chosen frames among those that the program gives; None for all."""
        sampling = self.sampling
        has_windows = sampling.windows is not None and sampling.windows.fps is not None
        if not (has_windows or sampling.uniform or sampling.violet):
            return None
        count = sum(1 for _ in _ProgramRun(self, None, Scale(), (2, 2)).images())
        # As a video of its own that has just these frames.
        alone = dataclasses.replace(
            self.index,
            pts=np.arange(count, dtype=np.int64),
            durations=np.ones(count, dtype=np.int64),
            time_base=1 / (self.rate or Fraction(1)),
            origin_pts=0,
            zero_pts=None,
            stated_seconds=self._stated_seconds,
            stream_count=1,
        )
        return sample(alone, sampling)

    def read(self, scale: Scale, order: Indices | None) -> Iterator[tuple[float, Image]]:
        """Yield (seconds, image) of the frames at the places of `order`, each once, or of all."""
        size = self.index.display_width, self.index.display_height
        if scale.shorter_side is not None:
            size = scaled_size(*size, shorter_side=scale.shorter_side)
        wanted = None if order is None else np.unique(order)
        for seconds, image in _ProgramRun(self, wanted, scale, size).images():
            if not isinstance(image, bytes):
                image = image if scale.square is None else square_frame(image, scale.square)
                image = image if scale.jpeg is None else jpeg_bytes(image, int(scale.jpeg))
            yield seconds, image


class _ProgramLog:
    """What the program writes to stderr, read while it runs.

    What it says while it opens a file is about the container, which `index_video` judges.

    Args:
        lenient: what it says before the first frame tells of a start in mid-stream.
    """

    def __init__(self, stream: IO[bytes], *, lenient: bool) -> None:
        self.complaint: str | None = None
        self._lenient = lenient
        self._early: str | None = None
        self._opened = self._started = False
        self._time_base = Fraction(0)
        self._seconds: queue.SimpleQueue[Fraction | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def seconds(self) -> Fraction:
        """The next frame's time on the program's clock."""
        return self._seconds.get() or Fraction(0)

    def end(self) -> None:
        """Wait for the last line; early complaints count where no frame came at all."""
        self._thread.join()
        if not self._started:
            self.complaint = self.complaint or self._early

    def _read(self, stream: IO[bytes]) -> None:
        for raw in stream:
            match = _LINE.match(raw.decode(errors="replace").rstrip())
            if match is None:
                continue
            writer = match["writer"] or ""
            self._opened = self._opened or match["text"].startswith("Input #0")
            if match["level"] in _BAD:
                self._judge(Line(writer, match["text"]))
            elif "showinfo" in writer:
                self._note(match["text"])
        self._seconds.put(None)

    def _judge(self, line: Line) -> None:
        text = find_harmful([line])
        if text is None or line.writer in HELPERS or _OF_OUTPUT.search(line.text):
            return
        # Threads write in any order: not the first line stands, but the least.
        if not self._opened or (self._lenient and not self._started):
            self._early = min(text, self._early or text)
        else:
            self.complaint = min(text, self.complaint or text)

    def _note(self, text: str) -> None:
        if base := _TIME_BASE.search(text):
            self._time_base = Fraction(int(base[1]), int(base[2]))
        elif stamp := _STAMP.match(text):
            self._started = True
            ticks = 0 if stamp[1] == "NOPTS" else int(stamp[1])
            self._seconds.put(ticks * self._time_base)


@dataclass(frozen=True)
class _ProgramRun:
    """One run of the program over a clip.

    Args:
        wanted: places of the frames to give, rising; None for all.
        scale: how frames are scaled and kept.
        size: of the frames that come out, width and height.
    """

    clip: _ProgramClip
    wanted: Indices | None
    scale: Scale
    size: tuple[int, int]

    def images(self) -> Iterator[tuple[float, Image]]:
        """Yield (seconds, image).

        Raises:
            ClipError: "decode" when the program complains or fails, once all frames have come.
        """
        lenient = self.clip.index.uncertain_start or (self.clip.seeks and self.clip.shift > 0)
        with subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "AV_LOG_FORCE_NOCOLOR": "1"},
        ) as process:
            assert process.stdout and process.stderr  # noqa: PT018
            log = _ProgramLog(process.stderr, lenient=lenient)
            try:
                yield from self._read(process.stdout, log)
                status = process.wait()
            finally:
                process.kill()
                log.end()
        if log.complaint or status:
            said = log.complaint or f"nothing, but ends with status {status}"
            raise ClipError("decode", f"{self.clip.index.path}: the ffmpeg program says: {said}")

    def _read(self, stream: IO[bytes], log: _ProgramLog) -> Iterator[tuple[float, Image]]:
        rate = self.clip.rate
        wanted = None if self.wanted is None else set(self.wanted.tolist())
        read: Callable[[IO[bytes]], Iterator[Image]] = (
            self._read_jpeg if self.scale.jpeg == "ffmpeg" else self._read_raw
        )
        places = itertools.chain.from_iterable(range(a, b + 1) for a, b in self._ranges())
        for place, image in zip(places, read(stream), strict=False):
            seconds = log.seconds() if rate is None else place / rate
            if wanted is None or place in wanted:
                yield self.clip.seconds(seconds), image

    def _read_raw(self, stream: IO[bytes]) -> Iterator[Frame]:
        width, height = self.size
        size = width * height * 3
        while len(data := stream.read(size)) == size:
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _read_jpeg(self, stream: IO[bytes]) -> Iterator[bytes]:
        """The files of the program's `mpjpeg` format: headers, an empty line, a file, in turn."""
        length = 0
        for line in iter(stream.readline, b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif length and not line.strip():
                yield stream.read(length)
                length = 0

    def _ranges(self) -> list[tuple[int, int]]:
        """First and last place of the frames that come through the pipe, range by range."""
        # Where the stream changes, the program begins its filters anew, and their counts.
        if self.wanted is None or self.clip.rate is not None or not self.clip.index.plannable:
            return [(0, sys.maxsize - 1)]
        parts = np.split(self.wanted, np.flatnonzero(np.diff(self.wanted) > 1) + 1)
        if len(parts) > _MOST_RANGES:
            parts = [self.wanted]
        return [(int(part[0]), int(part[-1])) for part in parts]

    def _command(self) -> list[str]:
        clip, (width, height) = self.clip, self.size
        stream = self._window()
        is_jpeg = self.scale.jpeg == "ffmpeg"
        output: dict[str, Any] = {"format": "mpjpeg" if is_jpeg else "rawvideo"}
        if clip.rate is not None:
            stream = stream.filter("showinfo").filter("fps", str(clip.rate))
        else:
            if self.wanted is not None and clip.index.plannable:
                ranges = "+".join(f"between(n,{a},{b})" for a, b in self._ranges())
                stream = stream.filter("select", ranges)
            stream = stream.filter("showinfo")
        if clip.rate is None or (clip.start_seconds is not None and clip.index.stream_count == 1):
            # Otherwise the output repeats the first frame up to the first slot, as it did for VIMPAC.
            output[_name_of_sync(read_version(clip.program))] = "passthrough"
        stream = stream.filter("scale", width, height, flags=self.scale.scaler)
        if not is_jpeg:
            # Where the stream changes, the output's own option would scale once more.
            stream = stream.filter("format", "rgb24")
        command = stream.output("pipe:", **output).global_args(*_GLOBAL)
        return [str(part) for part in command.compile(cmd=clip.program)]

    def _window(self) -> Any:
        """The stream, which begins at 0 with the window, and ends with it."""
        # Only those who use it need the package.
        import ffmpeg

        clip = self.clip
        shift, end = (None if t is None else f"{float(t):.6f}" for t in (clip.shift, clip.end))
        options: dict[str, Any] = {"protocol_whitelist": "file", "threads": 1}
        if clip.shift > 0 and clip.seeks:
            options["ss"] = shift
            options |= {} if end is None else {"t": f"{float(clip.reach):.6f}"}
        source = ffmpeg.input(f"file:{clip.index.path}", **options)
        stream = source[str(clip.index.stream_index)]
        if clip.shift != 0 and not (clip.shift > 0 and clip.seeks):
            stream = stream.filter("trim", start=shift).filter("setpts", f"PTS-round({shift}/TB)")
        return stream if end is None else stream.filter("trim", end=end)


def _name_of_sync(version: str) -> str:
    """The option that switches off constant rates: FFmpeg 5.1 renamed it."""
    numbers = re.match(r"n?(\d+)\.(\d+)", version)
    old = numbers is not None and (int(numbers[1]), int(numbers[2])) < (5, 1)
    return "vsync" if old else "fps_mode"
