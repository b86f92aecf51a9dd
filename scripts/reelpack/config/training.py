"""Settings that trainings of every kind have; without torch, for the workflow to check cards by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelpack.core.errors import UserError

PRECISIONS = ("fp32", "bf16")
# Keys that came later: with these values a training gives what it gave before it had them.
USUAL: Mapping[str, Any] = {"devices": 1, "precision": "fp32"}
_USUAL_VQVAE = {**USUAL, "patience": 0, "per_clip": False}
_PLATEAU = ("evaluate_every", "min_improvement")


def check_sharing(training: Mapping[str, Any], *, where: str = "training") -> None:
    """Raise UserError unless a card's `batch`, `devices` and `precision` suit each other.

    Args:
        training: a card's `training:`, complete.
        where: what the line begins with.
    """
    batch, devices = training["batch"], training["devices"]
    if batch % devices:
        raise UserError(
            f"{where}.batch: {batch}; allowed: multiples of devices ({devices}), for each takes an"
            " equal part of it"
        )
    if training["precision"] not in PRECISIONS:
        allowed = ", ".join(PRECISIONS)
        raise UserError(f"{where}.precision: {training['precision']!r}; allowed: {allowed}")


def decisive(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a VQ-VAE's training that its result depends on.

    Keys that change nothing are left out, so that a finished training stays finished when trainings
    learn something new.
    """
    telling = without_usual(training, _USUAL_VQVAE)
    left_out = {"pictures_every"} | (set() if "patience" in telling else set(_PLATEAU))
    return {key: value for key, value in telling.items() if key not in left_out}


def without_usual(training: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without those keys that have their usual values."""
    return {k: v for k, v in training.items() if k not in usual or usual[k] != v}
