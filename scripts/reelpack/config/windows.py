"""HERO's windows: one feature row for every `clip_len` seconds of a clip.

Models of single frames take one frame per window, models of motion a fixed number of frames
that are spread over it. Source of both rules, with their padding and rounding: github
linjieli222/HERO_Video_Feature_Extractor (resnets, clip, slowfast, mil-nce).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from reelpack.core.errors import UserError

Indices = npt.NDArray[np.int64]

# The models of motion were trained on every second frame.
STRIDE = 2


@dataclass(frozen=True)
class FeatureWindows:
    """How a clip is cut into windows, and what a row takes of each.

    Args:
        clip_len: seconds per window.
        fps: frames per second between which a window's frames are chosen; None for one frame
            per window.
        frames: frames per window, 1 without `fps`.
    """

    clip_len: Fraction
    fps: int | None = None
    frames: int = 1

    def __post_init__(self) -> None:
        if self.clip_len <= 0:
            raise UserError(f"frames.windows: clip_len is {self.clip_len}; it must be more than 0")
        if self.fps is None:
            if self.frames != 1:
                raise UserError(
                    f"frames.windows: frames is {self.frames}; without fps it must be 1"
                )
            return
        if self.fps < 1 or self.frames < 2:
            raise UserError(
                f"frames.windows: fps is {self.fps} and frames {self.frames}; at least 1 and 2 are allowed"
            )
        if (self.fps * self.clip_len).denominator != 1:
            raise UserError(
                f"frames.windows: clip_len {self.clip_len} is not a whole number of frames at {self.fps}"
                f" fps; allowed are multiples of 1/{self.fps}"
            )

    @property
    def length(self) -> int:
        """Frames between which one row's are chosen."""
        return 1 if self.fps is None else int(self.clip_len * self.fps)


def frame_rate(clip_len: Fraction, duration_seconds: float | None) -> Fraction:
    """Frames per second for one frame per window.

    A clip hardly longer than one window gives two frames, or one per half second: the rate is
    2 over its whole seconds.

    Args:
        clip_len: seconds per window.
        duration_seconds: of the stream as the container states it; None or 0 where it does not.
    """
    # In floating point as the published code has it: the rule's edge falls between doubles.
    limit = 1 / float(1 / clip_len) + 0.1
    if duration_seconds and 0 < duration_seconds < limit:
        return Fraction(2, max(int(duration_seconds), 1))
    return 1 / clip_len


def row_count(frames: int, windows: FeatureWindows, duration_seconds: float | None) -> int:
    """Rows of a clip that shows `frames` frames at `windows.fps`.

    Frames are filled up to whole seconds and seconds to a multiple of clip_len's numerator; of
    the windows in there, those that begin before the stated duration stay. Without a stated
    duration all stay.
    """
    assert windows.fps is not None
    seconds = -(-frames // windows.fps)
    whole = -(-seconds // windows.clip_len.numerator)
    rows = whole * windows.clip_len.denominator
    if duration_seconds and duration_seconds > 0:
        rows = min(rows, math.ceil(duration_seconds / float(windows.clip_len)))
    return rows


def places_in_window(windows: FeatureWindows, average_rate: Fraction) -> Indices:
    """Return int64[frames]: where in a window of `windows.length` frames a row's frames are.

    They spread evenly over what `frames` frames at every second one of the source would span,
    computed in float32 as torch's linspace does; a window that is shorter repeats its last frame.

    Args:
        windows: with an fps.
        average_rate: frames per second of the source; its whole part counts.
    """
    assert windows.fps is not None
    count = windows.frames
    span = count * STRIDE * math.floor(average_rate) / windows.fps
    end = np.float32(span - 1)
    step = end / np.float32(count - 1)
    place = np.arange(count, dtype=np.float32)
    from_start, from_end = step * place, end - step * (count - 1 - place)
    spread = np.where(np.arange(count) < count // 2, from_start, from_end)
    return np.clip(spread, 0, windows.length - 1).astype(np.int64)


def window_frames(
    frames: int, windows: FeatureWindows, *, duration_seconds: float | None, average_rate: Fraction
) -> Indices:
    """Return int64[rows, frames]: which of `frames` frames at `windows.fps` make each row.

    Whole seconds are reached by repeating the last frame, whole windows by repeating the last
    second, so a row may go back in time.
    """
    assert windows.fps is not None
    rows = row_count(frames, windows, duration_seconds)
    starts = np.arange(rows, dtype=np.int64) * windows.length
    places = starts[:, None] + places_in_window(windows, average_rate)[None]
    filled = -(-frames // windows.fps) * windows.fps
    repeated = filled - windows.fps + places % windows.fps
    return np.minimum(np.where(places < filled, places, repeated), frames - 1)
