"""OpenCV's linear resize of 8-bit frames, in numpy, to the bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Weights are fixed-point numbers of 11 bits.
_ONE = 1 << 11


def resize_linear(frame: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Resize `uint8[h, w, c]` to `uint8[height, width, c]`, as `cv2.resize` does by default.

    Two neighbours are mixed per direction, without antialiasing, in 11-bit fixed-point arithmetic;
    an exact half in both directions is the mean of four. Source: OpenCV's imgproc/resize.cpp.
    """
    old_height, old_width = frame.shape[:2]
    if (old_width, old_height) == (width, height):
        return frame.copy()
    if (old_width, old_height) == (2 * width, 2 * height):
        return _halved(frame)
    left, across = _weights(old_width, width, clamp=True)
    right = np.minimum(left + 1, old_width - 1)
    top, down = _weights(old_height, height, clamp=False)
    rows = np.unique(np.clip([top, top + 1], 0, old_height - 1))
    wide = frame[rows].astype(np.int32)
    mixed = wide[:, left] * across[0][:, None] + wide[:, right] * across[1][:, None]
    # The vertical step drops 4 bits before it multiplies, and 16 after.
    mixed >>= 4
    upper, lower = (
        mixed[np.searchsorted(rows, np.clip(place, 0, old_height - 1))] for place in (top, top + 1)
    )
    weights = down[:, :, None, None]
    summed = (upper * weights[0] >> 16) + (lower * weights[1] >> 16)
    resized: npt.NDArray[np.uint8] = (summed + 2 >> 2).astype(np.uint8)
    return resized


def _weights(
    old: int, new: int, *, clamp: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """First neighbour `int64[new]` and the weights `int32[2, new]` of both neighbours.

    Positions are single-precision, weights rounded half to even. With `clamp` a position outside
    the frame takes the border alone.
    """
    scale = 1.0 / (new / old)
    place = ((np.arange(new) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    part = place - first.astype(np.float32)
    if clamp:
        outside = (first < 0) | (first >= old - 1)
        part[outside] = 0
        first = first.clip(0, old - 1)
    weights = np.stack([np.float32(1) - part, part]) * np.float32(_ONE)
    return first, np.rint(weights).astype(np.int32)


def _halved(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    blocks = frame.reshape(height, 2, width, 2, -1).astype(np.uint16)
    means: npt.NDArray[np.uint8] = (blocks.sum(axis=(1, 3)) + 2 >> 2).astype(np.uint8)
    return means
