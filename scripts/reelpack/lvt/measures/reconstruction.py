"""Frames against what a model makes of their codes.

Errors are those of frames of 8 bits, as they are written, and are summed as whole numbers: so the
order of clips, and with it the number of shards, changes no digit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelpack.clips.table import Clip
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.core.evenly import evenly
from reelpack.frames.clip_pixels import EncodeSettings, read_pixels
from reelpack.lvt.codec import Codec, decode_video

_LEVELS = 255
# Half the levels stand for 1 where frames are -1 to 1.
_HALF = _LEVELS / 2


@dataclass(frozen=True)
class ErrorSums:
    """Sums over frames.

    Attributes:
        frames: how many frames.
        values: how many values, three per pixel.
        squared: sum of squared differences, in levels of 255.
        absolute: sum of absolute differences, in levels of 255.
    """

    frames: int = 0
    values: int = 0
    squared: int = 0
    absolute: int = 0

    @classmethod
    def between(cls, given: Frame, made: Frame) -> ErrorSums:
        """Compare uint8[N, H, W, 3] with uint8[N, H, W, 3]."""
        difference = given.astype(np.int64) - made
        squared, absolute = int(np.square(difference).sum()), int(np.abs(difference).sum())
        return cls(len(given), given.size, squared, absolute)

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(
            self.frames + other.frames,
            self.values + other.values,
            self.squared + other.squared,
            self.absolute + other.absolute,
        )

    def compute_figures(self) -> dict[str, float | int | None]:
        """Return what the sums come to.

        Returns:
            `frames`; `mse`, the mean squared error of frames in [-1, 1], the scale of training;
            `mae_255`, the mean absolute error in levels of 255; `psnr_db`, 10 log10(4 / mse), which
            is None where there is no error. All are None without frames.
        """
        if not self.values:
            return {"frames": 0, "mse": None, "mae_255": None, "psnr_db": None}
        mse = self.squared / self.values / _HALF**2
        return {
            "frames": self.frames,
            "mse": mse,
            "mae_255": self.absolute / self.values,
            "psnr_db": 10 * math.log10(4 / mse) if mse else None,
        }


def compare(
    clip: Clip,
    codes: Sequence[NDArray[np.int64]],
    settings: EncodeSettings,
    *,
    codec: Codec,
    most: int,
) -> list[tuple[Frame, Frame]]:
    """Return frames of a clip as the encoder saw them, and what the model makes of their codes.

    Args:
        clip: the clip.
        codes: per crop set int64[T, codebooks, h, w].
        settings: where its pixels are from.
        codec: the model that gave the codes.
        most: how many frames, evenly spaced over all of the clip.

    Returns:
        Per crop set two arrays uint8[N, H, W, 3].

    Raises:
        ClipError: the pixels cannot be had any more, or are others.
    """
    count = len(codes[0])
    wanted = evenly(range(count), most)
    given = _read_given(clip, settings, wanted, count)
    pairs = []
    for number, of_set in enumerate(codes):
        originals = np.stack([crops[number] for crops in given])
        made = decode_video(codec, of_set[wanted])
        if made.shape != originals.shape:
            raise ClipError(
                "decode",
                f"its frames are {list(originals.shape[1:])} now, those of its codes"
                f" {list(made.shape[1:])}",
            )
        pairs.append((originals, made))
    return pairs


def _read_given(
    clip: Clip, settings: EncodeSettings, wanted: Sequence[int], count: int
) -> list[list[Frame]]:
    kept, seen, chosen = [], 0, set(wanted)
    for number, crops in enumerate(read_pixels(clip, settings)):
        seen = number + 1
        if number in chosen:
            kept.append(crops)
    if seen != count:
        raise ClipError("decode", f"it has {seen} frames now, and {count} have codes")
    return kept
