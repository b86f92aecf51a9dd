"""Which frames of a clip to take: time stamps in, indices of shown frames out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from reelpack.config.sampling import Sampling
from reelpack.config.windows import FeatureWindows, frame_rate, window_frames
from reelpack.core.errors import ClipError, UserError
from reelpack.video.clock import round_half_away
from reelpack.video.index import VideoIndex
from reelpack.video.rates import rate_of

Indices = npt.NDArray[np.int64]
# What FAVDBench takes for the duration of a file that does not tell it.
_FAVD_SECONDS = 10.0
# A frame that stands for longer is a wrong time stamp.
_LONGEST_STILL_SECONDS = 3600


def sample(
    index: VideoIndex,
    sampling: Sampling,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Indices:
    """Choose frames: `int64[k]`, indices into `index.pts`, perhaps repeating.

    They never fall, but for windows behind the end of a clip, which repeat its last second.

    A window keeps the frames with start <= t < end, t in seconds from the first shown frame that
    the container tells of; both ends are rounded to the nearest tick of the stream's time base, as
    ffmpeg's `-ss` does. A start below zero lies before the first frame: `fps` counts from there. A
    window between two frames shows the one that stands there.

    `fps` without a start counts from the start of the file (`index.origin_pts`), as ffmpeg does: a
    video stream that begins after another one repeats its first choice. With a start it counts
    from there, and the last frame of the window stays until the next one, which is the choice of
    `ffmpeg -ss START -i FILE -vf trim=end=LENGTH,fps=F`. The program differs where its seek misses
    the start (MPEG-TS and others without an index), where the video stream begins after another
    one, and with `-to END`, whose length counts from the first frame inside the window: when
    START falls between two frames it may reach one frame further.

    A frame file is chosen once by every rule; `favd` then makes up the rest by repeating it.

    Raises:
        ClipError: "too_short" when nothing is in the window, or fewer than `at_least` are chosen;
            "decode" when windows need a frame rate and the container states none; "corrupt" when
            `fps` would repeat a frame for more than an hour.
        UserError: the window's end is not after its start.
    """
    window = find_window(index, start_seconds, end_seconds)
    begin, stop = window.begin, window.stop
    rate = filter_rate(index, sampling, start_seconds=start_seconds, end_seconds=end_seconds)
    if index.is_frame:
        frames = 1 if sampling.windows is None else sampling.windows.frames
        chosen = np.zeros(frames, dtype=np.int64)
    elif rate is not None:
        chosen = _at_rate(index, rate, window)
    elif sampling.windows is not None:
        chosen = _in_windows(
            index, sampling.windows, window, start_seconds=start_seconds, end_seconds=end_seconds
        )
    elif sampling.uniform is not None:
        middles = 2 * np.arange(sampling.uniform, dtype=np.int64) + 1
        chosen = begin + (stop - begin) * middles // (2 * sampling.uniform)
    elif sampling.violet is not None:
        # In floating point and in this order, as the published script computes it.
        ends = (stop - begin) / (sampling.violet + 1) * np.arange(1, sampling.violet + 1)
        chosen = begin + ends.astype(np.int64)
    else:
        chosen = np.arange(begin, stop, dtype=np.int64)
    if sampling.favd is not None and len(chosen):
        chosen = np.append(chosen, chosen[-1:].repeat(sampling.favd))[: sampling.favd]
    chosen = chosen[: sampling.first]
    wanted = max(1, sampling.at_least or 1)
    if len(chosen) < wanted:
        raise ClipError("too_short", f"{len(chosen)} frames chosen, at least {wanted} are needed")
    return chosen


def filter_rate(
    index: VideoIndex,
    sampling: Sampling,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Fraction | None:
    """Frames per second of the `fps` filter that a rule stands for; None for other rules.

    FAVDBench divides by the length of the window, or by the duration that the container states
    (to the microsecond, as ffprobe prints it); by 10 s where it states none.
    """
    if sampling.favd is None:
        return sampling.fps
    end = index.container_seconds if end_seconds is None else end_seconds
    seconds = 0.0 if end is None else end - (start_seconds or 0.0)
    return rate_of(sampling.favd / (seconds if seconds > 0 else _FAVD_SECONDS))


@dataclass(frozen=True)
class Window:
    """The frames that a window in seconds keeps.

    Args:
        begin, stop: half-open range of indices into `index.pts`, never empty.
        origin_pts: the tick that `fps` counts from.
        end_pts: the tick at which the last frame ends.
        standing: ticks between the stamp of a frame that stands all through the window and the
            window's start; `origin_pts` and `end_pts` are as if the window began with the frame.
    """

    begin: int
    stop: int
    origin_pts: int
    end_pts: int
    standing: int = 0


def _at_rate(index: VideoIndex, rate: Fraction, window: Window) -> Indices:
    """The choice of ffmpeg's `fps` filter inside a window: indices into `index.pts`.

    Raises:
        ClipError: "corrupt".
    """
    stamps = index.pts[window.begin : window.stop]
    _check_stills(index, window)
    return window.begin + _fps_indices(
        stamps.tolist(),
        end_pts=window.end_pts,
        origin_pts=window.origin_pts,
        ticks_to_frames=index.time_base * rate,
        fill_start=index.stream_count > 1,
    )


def _check_stills(index: VideoIndex, window: Window) -> None:
    """See that `fps` repeats no frame for longer than anybody means it."""
    stamps = index.pts[window.begin : window.stop]
    lengths = np.diff(stamps, prepend=min(window.origin_pts, int(stamps[0])), append=window.end_pts)
    place = int(lengths.argmax())
    if int(lengths[place]) * index.time_base > _LONGEST_STILL_SECONDS:
        raise _wrong_stamp(index, int(stamps[max(0, place - 1)]), int(lengths[place]))
    _check_order(index)


def _check_order(index: VideoIndex) -> None:
    """See that the clock does not go back by more than any container means it."""
    if -index.least_step * index.time_base > _LONGEST_STILL_SECONDS:
        steps = np.diff(index.pts)
        place = int(steps.argmin())
        raise _wrong_stamp(index, int(index.pts[place]), int(steps[place]))


def _wrong_stamp(index: VideoIndex, stamp: int, ticks: int) -> ClipError:
    seconds = float((stamp - index.first_pts) * index.time_base)
    return ClipError(
        "corrupt",
        f"a time stamp is wrong: the frame behind the one at {seconds:.2f} s comes"
        f" {float(ticks * index.time_base):+.0f} s from it; up to {_LONGEST_STILL_SECONDS} s are"
        " believed",
    )


def _in_windows(
    index: VideoIndex,
    windows: FeatureWindows,
    window: Window,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
) -> Indices:
    """The frames of windows, one window after another; at least one frame, the first.

    A part of a file counts as a file of its own, whose duration is the end asked for, or that of
    the stream if it comes before, less the start.
    """
    if not index.average_rate:
        raise ClipError("decode", "the stream states no average frame rate, which windows need")
    ends = [end for end in (end_seconds, index.stated_seconds) if end is not None]
    duration = max(min(ends) - (start_seconds or 0.0), 0.0) if ends else None
    rate = frame_rate(windows.clip_len, duration) if windows.fps is None else Fraction(windows.fps)
    shown = _at_rate(index, rate, window)
    if not len(shown):
        shown = np.array([window.begin], dtype=np.int64)
    if windows.fps is None:
        return shown
    places = window_frames(
        len(shown), windows, duration_seconds=duration, average_rate=index.average_rate
    )
    return shown[places.ravel()]


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
        raise ClipError("too_short", "the video stream shows no frame")
    begin, stop = 0, len(index.pts)
    if start_seconds is not None or end_seconds is not None:
        _check_order(index)
    rising, zero = index.rising_pts, index.first_pts
    first = _ticks(start, index.time_base)
    if start_seconds is not None:
        begin = int(np.searchsorted(rising, zero + first))
    if end_seconds is not None:
        stop = int(np.searchsorted(rising, zero + _ticks(end_seconds, index.time_base)))
    if begin >= stop:
        return _standing(index, begin - 1, first=first, end_seconds=end_seconds)
    origin = index.origin_pts if start_seconds is None else index.first_pts + first
    return Window(begin, stop, origin, _end_of(index, stop))


def _standing(index: VideoIndex, place: int, *, first: int, end_seconds: float | None) -> Window:
    """The window of a frame that stands all through it, as if it began there.

    Raises:
        ClipError: "too_short" when no frame does.
    """
    begin = index.first_pts + first
    end = _end_of(index, place + 1) if place >= 0 else begin
    if end <= begin:
        start = float(first * index.time_base)
        raise ClipError(
            "too_short",
            f"no frame between {start:g} s and {'the end' if end_seconds is None else end_seconds};"
            f" the clip shows {len(index.pts)} frames in {_shown_seconds(index):.3f} s",
        )
    if end_seconds is not None:
        end = min(end, index.first_pts + _ticks(end_seconds, index.time_base))
    stamp = int(index.pts[place])
    return Window(place, place + 1, stamp, stamp + end - begin, standing=begin - stamp)


def _shown_seconds(index: VideoIndex) -> float:
    return float((_end_of(index, len(index.pts)) - int(index.pts[0])) * index.time_base)


def _end_of(index: VideoIndex, stop: int) -> int:
    """The tick at which the last frame before position `stop` ends."""
    if stop < len(index.pts):
        return int(index.pts[stop])
    return int(index.pts[-1] + index.durations[-1])


def _ticks(seconds: float, time_base: Fraction) -> int:
    microseconds = round(seconds * 1_000_000)
    return round_half_away(Fraction(microseconds, 1_000_000) / time_base)


def _fps_indices(
    pts: list[int], *, end_pts: int, origin_pts: int, ticks_to_frames: Fraction, fill_start: bool
) -> Indices:
    """The choice of ffmpeg's `fps` filter (libavfilter/vf_fps.c) for a raw output.

    Frame i is due at slot p = round((pts - origin) * ticks_to_frames); slot k shows the last
    frame that is due by then, up to the slot in which the last frame ends. With
    `fill_start`, slots before the first one repeat it: the program's constant rate output fills
    them where the file holds more than the one stream.
    """
    scale, unit = ticks_to_frames.numerator, ticks_to_frames.denominator

    def slot(stamp: int) -> int:
        twice = 2 * (stamp - origin_pts) * scale
        return (twice + unit) // (2 * unit) if twice >= 0 else -((unit - twice) // (2 * unit))

    due = [slot(stamp) for stamp in pts]
    # A frame in its turn is given when the next one comes, even if that one goes back.
    end = max(slot(end_pts), *due)
    chosen: list[int] = []
    shown = 0
    for k in range(due[0], end):
        while shown + 1 < len(due) and due[shown + 1] <= k:
            shown += 1
        chosen.append(shown)
    if fill_start:
        chosen = chosen[:1] * due[0] + chosen
    return np.array(chosen, dtype=np.int64)
