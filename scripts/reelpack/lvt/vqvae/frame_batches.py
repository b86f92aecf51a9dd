"""Batches of frames to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.lvt.training.order import Indices, order_batches, order_clips
from reelpack.lvt.training.share import Share
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings

PROBED_FRAMES = 16


class TrainingFrames(Protocol):
    """Frames of a fixed order that can be read in any order, each uint8[H, W, 3].

    Attributes:
        counts: frames of each clip, clip after clip; only `per_clip` asks for it.
    """

    @property
    def counts(self) -> Sequence[int]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...


class FrameBatches:
    """What a process reads in each step: a function of the settings and the step.

    Args:
        frames: the training frames.
        settings: of the training.
        share: which part of a batch this process has.
    """

    def __init__(self, frames: TrainingFrames, settings: VqvaeTrainSettings, share: Share) -> None:
        self._frames, self._side = frames, settings.image_size
        self._part = share.part(settings.batch)
        self._order = (
            order_clips(frames.counts, settings.batch, settings.seed)
            if settings.per_clip
            else order_batches(len(frames), settings.batch, settings.seed)
        )

    def __len__(self) -> int:
        return len(self._frames)

    def read_step(self, step: int) -> Tensor:
        """Return this process's part of a batch, uint8[B, H, W, 3] on the CPU."""
        return self._read(self._order(step)[self._part])

    def read_some(self, most: int) -> Tensor:
        """Return at most so many frames, evenly spaced, uint8[N, H, W, 3] on the CPU."""
        return self._read(self._space(most))

    def sum_some(self) -> list[str]:
        """Return the SHA-256 of some frames, evenly spaced; they stand for all."""
        return [
            hashlib.sha256(np.ascontiguousarray(self._frames[int(index)]).tobytes()).hexdigest()
            for index in self._space(PROBED_FRAMES)
        ]

    def _space(self, most: int) -> Indices:
        count = len(self)
        return np.linspace(0, count - 1, min(count, most)).astype(np.int64)

    def _read(self, indices: Indices) -> Tensor:
        side = self._side
        frames = [self._frames[int(index)] for index in indices]
        for index, frame in zip(indices, frames, strict=True):
            if frame.shape != (side, side, 3) or frame.dtype != np.uint8:
                raise UserError(
                    f"training frame {index} is {frame.dtype}{list(frame.shape)}, expected"
                    f" uint8[{side}, {side}, 3]"
                )
        return torch.from_numpy(np.stack(frames))
