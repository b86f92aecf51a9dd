"""From the frames of a clip to an encoder's rows, in batches of its one shape.

A row is a frame, or as many frames as the encoder's window has; behind the last frame a window is
filled up with zeros, which are black pixels. Memory holds one batch of pixels per crop set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.encode.codes import clip_bytes
from reelpack.encoders.interface import Encoder, encode_batch


def build_row(frames: Sequence[Frame], window: int) -> Frame:
    """Return one row: uint8[H, W, 3], or uint8[window, H, W, 3] for windows of several frames."""
    if window == 1:
        return frames[0]
    row = np.zeros((window, *frames[0].shape), dtype=np.uint8)
    row[: len(frames)] = frames
    return row


def check_same_size(frame: Frame, shape: tuple[int, ...]) -> None:
    """Raise ClipError, `encode`, unless a frame has the shape of the clip's first one."""
    if frame.shape != shape:
        raise ClipError("encode", f"frame size changes inside the clip: {shape}, {frame.shape}")


class ClipRows:
    """Takes the crops of one clip frame by frame and encodes them.

    Args:
        encoder: any encoder.
        sets: crop sets, each of which becomes one array.
    """

    def __init__(self, encoder: Encoder, sets: int) -> None:
        self._sets = [_SetRows(encoder) for _ in range(sets)]

    def add(self, crops: Sequence[Frame]) -> None:
        """Take the next frame's crops, uint8[H, W, 3] each.

        Raises:
            ClipError: `encode`, when sizes change or do not suit the encoder.
        """
        for rows, crop in zip(self._sets, crops, strict=True):
            rows.add(crop)

    def clip_bytes(self) -> bytes:
        """Encode what is left and return the clip file.

        Raises:
            ClipError: too_short, when there was no frame; `encode` as `add`.
        """
        return clip_bytes([rows.finish() for rows in self._sets])


class _SetRows:
    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._frames: list[Frame] = []
        self._rows: list[Frame] = []
        self._done: list[NDArray[Any]] = []
        self._shape: tuple[int, ...] | None = None

    def add(self, frame: Frame) -> None:
        self._shape = self._shape or frame.shape
        check_same_size(frame, self._shape)
        self._frames.append(frame)
        if len(self._frames) == self._encoder.window:
            self._close_row()
            if len(self._rows) >= self._encoder.batch_size:
                self._encode()

    def finish(self) -> NDArray[Any]:
        if self._frames:
            self._close_row()
        if self._rows:
            self._encode()
        if not self._done:
            raise ClipError("too_short", "no frame in this clip")
        return np.concatenate(self._done)

    def _close_row(self) -> None:
        self._rows.append(build_row(self._frames, self._encoder.window))
        self._frames = []

    def _encode(self) -> None:
        self._done.append(encode_batch(self._encoder, self._rows))
        self._rows = []
