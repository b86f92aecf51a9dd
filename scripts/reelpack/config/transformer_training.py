"""What a training of a video transformer depends on, besides the codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from reelpack.config.schema import check
from reelpack.config.training import check_sharing
from reelpack.config.transformer_sizes import Sizes


@dataclass(frozen=True)
class TransformerSettings:
    """Settings of a training; the defaults are the published ones.

    Attributes:
        architecture: sizes of the model.
        steps: optimiser steps.
        frames: length of the cuts to learn from.
        primed_frames: frames at a cut's start that are given, not predicted.
        batch: cuts per step.
        learning_rate: RMSprop's, constant.
        alpha: RMSprop's smoothing.
        momentum: RMSprop's.
        seed: of the initial weights, the order of videos, cuts and slices.
        checkpoint_every: steps between checkpoints; not part of the result.
        evaluate_every: steps between evaluations on held-out videos.
        patience: stop after that many evaluations without a better one; 0 never stops early.
        threads: CPU threads of each process; sums are grouped by them, so they are part of the
            result.
        devices: processes that share every batch, each on a GPU of its own, or on the CPU.
        precision: `fp32`, or `bf16`: forward passes in bfloat16, the measured ones too; losses stay
            in float32.
    """

    architecture: Sizes
    steps: int
    frames: int = 16
    primed_frames: int = 1
    batch: int = 64
    learning_rate: float = 2e-5
    alpha: float = 0.95
    momentum: float = 0.9
    seed: int = 29871897
    checkpoint_every: int = 1000
    evaluate_every: int = 1000
    patience: int = 0
    threads: int = 1
    devices: int = 1
    precision: str = "fp32"

    def __post_init__(self) -> None:
        check_sharing({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> TransformerSettings:
        """Read a card's `architecture:` and `training:` mappings.

        Raises:
            UserError: unknown or missing key, or a value out of range.
        """
        training = check("transformer", dict(card["training"]), "training", where="training")
        return cls(architecture=Sizes.from_mapping(card.get("architecture", {})), **training)
