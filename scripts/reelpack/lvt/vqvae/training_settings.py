"""What a training of a VQ-VAE depends on, besides the frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from reelpack.config.training import check_sharing
from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import STRIDE, Architecture

_COUNTS = ("steps", "batch", "checkpoint_every", "threads", "devices", "evaluate_every")


@dataclass(frozen=True)
class VqvaeTrainSettings:
    """All that the result of a training depends on, besides the frames.

    Attributes:
        architecture: sizes of the model.
        image_size: sides of the square frames, pixels; a multiple of 4.
        steps: optimiser steps.
        batch: frames per step.
        learning_rate: Adam's, constant.
        betas: Adam's.
        seed: of the initial weights, the order of frames and the revived codes.
        commitment: weight of the commitment loss.
        decay: of the codes' running means, per step.
        epsilon: smoothing of the codes' running sizes.
        checkpoint_every: steps between checkpoints.
        threads: CPU threads of each process; sums are grouped by them, so they are part of the
            result.
        devices: processes that share every batch, each on a GPU of its own, or on the CPU.
        precision: `fp32`, or `bf16`: convolutions in bfloat16; codes and losses stay in float32.
        evaluate_every: steps whose mean reconstruction loss is compared with the best before.
        patience: stop after that many comparisons in a row without an improvement; 0 never stops.
        min_improvement: by what part of the best mean another one must be lower to count.
        per_clip: a round takes one frame of every clip, drawn anew each round, instead of all.
    """

    architecture: Architecture
    image_size: int
    steps: int
    batch: int = 32
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.9)
    seed: int = 29871897
    commitment: float = 1.0
    decay: float = 0.99
    epsilon: float = 1e-5
    checkpoint_every: int = 1000
    threads: int = 1
    devices: int = 1
    precision: str = "fp32"
    evaluate_every: int = 1000
    patience: int = 0
    min_improvement: float = 0.01
    per_clip: bool = False

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise UserError(f"training.{name}: {getattr(self, name)}; allowed: at least 1")
        check_sharing({f.name: getattr(self, f.name) for f in fields(self)})
        if self.image_size < STRIDE or self.image_size % STRIDE:
            raise UserError(f"image size {self.image_size}; allowed: multiples of {STRIDE}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any], *, image_size: int) -> VqvaeTrainSettings:
        """Read a model card's `architecture:` and `training:` mappings.

        Raises:
            UserError: unknown or missing key, or a size out of range.
        """
        training = dict(card["training"])
        training.pop("pictures_every", None)
        allowed = [f.name for f in fields(cls) if f.name not in ("architecture", "image_size")]
        if unknown := sorted(set(training) - set(allowed)):
            raise UserError(f"training.{unknown[0]}: unknown key; allowed: {', '.join(allowed)}")
        if "steps" not in training:
            raise UserError("training.steps: missing; it must be the number of optimiser steps")
        if "betas" in training:
            training["betas"] = tuple(training["betas"])
        architecture = Architecture.from_mapping(card.get("architecture", {}))
        return cls(architecture=architecture, image_size=image_size, **training)
