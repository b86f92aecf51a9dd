"""Which pictures of a clip to take: time stamps in, indices of shown pictures out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from reelpack.errors import ClipError, UserError
from reelpack.video.index import VideoIndex

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampling:
    """A rule that chooses pictures; exactly one of `fps`, `uniform` and `every` is given.

    Args:
        fps: pictures per second, as ffmpeg's `fps` filter with its default rounding (near).
        uniform: this many pictures, the middles of as many equal parts; a short clip repeats some.
        every: each shown picture.
        first: keep at most the first n of what the rule chose.
        at_least: a clip that gives fewer than n pictures is "too_short".
    """

    fps: Fraction | None = None
    uniform: int | None = None
    every: bool = False
    first: int | None = None
    at_least: int | None = None

    def __post_init__(self) -> None:
        if (self.fps is not None) + (self.uniform is not None) + self.every != 1:
            raise UserError("sampling: give exactly one of fps, uniform and every")
        if self.fps is not None and self.fps <= 0:
            raise UserError(f"sampling: fps is {self.fps}; it must be more than 0")
        for name in ("uniform", "first", "at_least"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UserError(f"sampling: {name} is {number}; it must be 1 or more")


def sample(
    index: VideoIndex,
    sampling: Sampling,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Indices:
    """Choose pictures: `int64[k]`, indices into `index.pts`, never falling, perhaps repeating.

    A window keeps the pictures with start <= t < end, t in seconds from the first shown picture;
    both ends are rounded to the nearest tick of the stream's time base, as ffmpeg's `-ss` does. A
    start below zero lies before the first picture: `fps` counts from there.

    `fps` without a start counts from the start of the file (`index.origin_pts`), as ffmpeg does: a
    video stream that begins after another one repeats its first choice. With a start it counts
    from there, and the last picture of the window stays until the next one, which is the choice of
    `ffmpeg -ss START -i FILE -vf trim=end=LENGTH,fps=F`. The program differs where its seek misses
    the start (MPEG-TS and others without an index), where the video stream begins after another
    one, and with `-to END`, whose length counts from the first picture inside the window: when
    START falls between two pictures it may reach one picture further.

    A picture file is chosen once by every rule.

    Raises:
        ClipError: "too_short" when nothing is in the window, or fewer than `at_least` are chosen.
        UserError: the window's end is not after its start.
    """
    window = find_window(index, start_seconds, end_seconds)
    begin, stop = window.begin, window.stop
    if index.is_picture:
        chosen = np.zeros(1, dtype=np.int64)
    elif sampling.fps is not None:
        chosen = begin + _fps_indices(
            index.pts[begin:stop].tolist(),
            end_pts=window.end_pts,
            origin_pts=window.origin_pts,
            ticks_to_frames=index.time_base * sampling.fps,
            fill_start=index.stream_count > 1,
        )
    elif sampling.uniform is not None:
        middles = 2 * np.arange(sampling.uniform, dtype=np.int64) + 1
        chosen = begin + (stop - begin) * middles // (2 * sampling.uniform)
    else:
        chosen = np.arange(begin, stop, dtype=np.int64)
    chosen = chosen[: sampling.first]
    wanted = max(1, sampling.at_least or 1)
    if len(chosen) < wanted:
        raise ClipError("too_short", f"{len(chosen)} frames chosen, at least {wanted} are needed")
    return chosen


@dataclass(frozen=True)
class Window:
    """The pictures that a window in seconds keeps.

    Args:
        begin, stop: half-open range of indices into `index.pts`, never empty.
        origin_pts: the tick that `fps` counts from.
        end_pts: the tick at which the last picture ends.
    """

    begin: int
    stop: int
    origin_pts: int
    end_pts: int


def find_window(
    index: VideoIndex, start_seconds: float | None, end_seconds: float | None
) -> Window:
    """Find what `sample` chooses from, see there.

    Raises:
        ClipError: "too_short" when nothing is in the window.
        UserError: the window's end is not after its start.
    """
    start = 0.0 if start_seconds is None else start_seconds
    if end_seconds is not None and end_seconds <= start:
        raise UserError(f"window: end_seconds {end_seconds} must be after start_seconds {start}")
    if not len(index.pts):
        raise ClipError("too_short", "the video stream shows no picture")
    ticks = index.pts - index.pts[0]
    first = _ticks(start, index.time_base)
    begin = int(np.searchsorted(ticks, first))
    stop = len(ticks)
    if end_seconds is not None:
        stop = int(np.searchsorted(ticks, _ticks(end_seconds, index.time_base)))
    if begin >= stop:
        raise ClipError(
            "too_short",
            f"no picture between {start} s and {'the end' if end_seconds is None else end_seconds};"
            f" the clip shows {len(ticks)} pictures in {index.duration_seconds:.3f} s",
        )
    origin = index.origin_pts if start_seconds is None else int(index.pts[0]) + first
    return Window(begin, stop, origin, _end_of(index, stop))


def _end_of(index: VideoIndex, stop: int) -> int:
    """The tick at which the last picture before position `stop` ends."""
    if stop < len(index.pts):
        return int(index.pts[stop])
    return int(index.pts[-1] + index.durations[-1])


def _ticks(seconds: float, time_base: Fraction) -> int:
    microseconds = round(seconds * 1_000_000)
    return _round_half_away(Fraction(microseconds, 1_000_000) / time_base)


def _round_half_away(value: Fraction) -> int:
    """Nearest whole number, halves away from zero: libavutil's AV_ROUND_NEAR_INF."""
    twice, unit = 2 * abs(value.numerator), value.denominator
    nearest = (twice + unit) // (2 * unit)
    return nearest if value >= 0 else -nearest


def _fps_indices(
    pts: list[int], *, end_pts: int, origin_pts: int, ticks_to_frames: Fraction, fill_start: bool
) -> Indices:
    """The choice of ffmpeg's `fps` filter (libavfilter/vf_fps.c) for a raw output.

    Picture i is due at slot p = round((pts - origin) * ticks_to_frames); slot k shows the last
    picture that is due by then, up to the slot in which the last picture ends. With
    `fill_start`, slots before the first one repeat it: the program's constant rate output fills
    them where the file holds more than the one stream.
    """
    scale, unit = ticks_to_frames.numerator, ticks_to_frames.denominator

    def slot(stamp: int) -> int:
        twice = 2 * (stamp - origin_pts) * scale
        return (twice + unit) // (2 * unit) if twice >= 0 else -((unit - twice) // (2 * unit))

    due = [slot(stamp) for stamp in pts]
    end = slot(end_pts)
    chosen: list[int] = []
    shown = 0
    for k in range(due[0], end):
        while shown + 1 < len(due) and due[shown + 1] <= k:
            shown += 1
        chosen.append(shown)
    if fill_start:
        chosen = chosen[:1] * due[0] + chosen
    return np.array(chosen, dtype=np.int64)
