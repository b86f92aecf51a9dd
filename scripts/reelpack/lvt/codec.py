"""Frames to codes and back, a video at a time, in batches of one size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reelpack.core.arrays import Frame

Codes = npt.NDArray[np.int64]


class Codec(Protocol):
    """What turns frames into codes and back, as `encoders.vqvae.VQVAEEncoder` does."""

    batch_size: int

    def encode(self, frames: Frame) -> Codes:
        """Map uint8[B, H, W, 3] to int64[B, codebooks, h, w]."""
        ...

    def decode(self, tokens: Codes) -> Frame:
        """Map int64[B, codebooks, h, w] to uint8[B, H, W, 3]."""
        ...


def encode_video(codec: Codec, frames: Frame) -> Codes:
    """Map the frames of a video, uint8[T, H, W, 3], to codes int64[T, codebooks, h, w]."""
    return _call_in_batches(codec.encode, frames, codec.batch_size)


def decode_video(codec: Codec, codes: Codes) -> Frame:
    """Map the codes of a video, int64[T, codebooks, h, w], to frames uint8[T, H, W, 3]."""
    return _call_in_batches(codec.decode, codes, codec.batch_size)


def _call_in_batches(
    call: Callable[[Any], npt.NDArray[Any]], items: npt.NDArray[Any], size: int
) -> npt.NDArray[Any]:
    """Call with batches of one size, the last filled up, so that no kernel is chosen by chance."""
    filled = np.concatenate([items, np.repeat(items[-1:], -len(items) % size, axis=0)])
    parts = [call(filled[first : first + size]) for first in range(0, len(filled), size)]
    return np.concatenate(parts)[: len(items)]
