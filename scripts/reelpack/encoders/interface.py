"""What every encoder offers, and how any number of rows pass through one of fixed batch shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError

Rows = npt.NDArray[np.number[Any]]


class Encoder(Protocol):
    """A model that turns frames into tokens, or frames or windows of them into features.

    Attributes:
        name: what recipes call it.
        result_version: raised by hand when the results of equal frames change.
        batch_size: rows per call; always the same, so that no kernel is chosen by chance.
        window: frames that make one row; 1 where a row is a frame.
        side: side in pixels of the square frames that it takes, or None for any size.
        width: numbers per row (d), or None for tokens.
        dtype: of the results.
    """

    name: str
    result_version: int
    batch_size: int
    window: int
    dtype: np.dtype[Any]

    @property
    def side(self) -> int | None: ...  # noqa: D102
    @property
    def width(self) -> int | None: ...  # noqa: D102

    def encode(self, frames: Frame) -> Rows:
        """Encode one batch of RGB pixels.

        Args:
            frames: uint8[batch_size, H, W, 3], or uint8[batch_size, window, H, W, 3] where a row is
                a window of more than one frame.

        Returns:
            Integer tokens [batch_size, ...], or features float32[batch_size, width].

        Raises:
            ClipError: `encode`, when the encoder cannot take frames of this size.
        """
        ...


def encode_batch(encoder: Encoder, rows: Sequence[Frame], *, may_shrink: bool = True) -> Rows:
    """Encode rows of one size in batches of the encoder's one shape.

    The last batch is filled up by repeating its last row, and cut after. When the device's memory
    does not hold a batch, the encoder's `batch_size` is halved for good, which is said, and the
    work goes on: rows of another batch shape may differ in their last bits.

    Args:
        encoder: any encoder.
        rows: at least one, uint8[H, W, 3] or uint8[window, H, W, 3] each.
        may_shrink: whether to halve; else memory that runs out is an error like any other.

    Returns:
        Results [rows, ...] in the encoder's dtype.

    Raises:
        ClipError: `encode`, when the rows do not suit the encoder.
        UserError: the device's memory does not hold a single row.
    """
    done: list[Rows] = []
    start = 0
    while start < len(rows):
        group = list(rows[start : start + encoder.batch_size])
        padded = group + [group[-1]] * (encoder.batch_size - len(group))
        try:
            done.append(encoder.encode(np.stack(padded))[: len(group)])
        except RuntimeError as error:
            if not may_shrink:
                raise
            _halve_batch(encoder, error)
        else:
            start += len(group)
    return np.concatenate(done)


def _halve_batch(encoder: Encoder, error: RuntimeError) -> None:
    import torch

    if not isinstance(error, torch.OutOfMemoryError):
        raise error
    size = encoder.batch_size
    if size == 1:
        raise UserError(
            f"{encoder.name}: the device has no memory left for a single row; free some, or use"
            " another device"
        ) from error
    encoder.batch_size = size // 2
    print(
        f"{encoder.name}: the device's memory does not hold a batch of {size};"
        f" going on with {encoder.batch_size}",
        flush=True,
    )
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def check_frames(frames: Frame, *, encoder: str, stride: int) -> None:
    """Raise ClipError unless `frames` is uint8[B, H, W, 3], its sides multiples of `stride`."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise ClipError(
            "encode", f"{encoder} takes uint8[B, H, W, 3], not {frames.dtype}{list(frames.shape)}"
        )
    height, width = frames.shape[1:3]
    if height % stride or width % stride or not height or not width:
        raise ClipError(
            "encode", f"{encoder} takes sides that are multiples of {stride}, not {width}x{height}"
        )
