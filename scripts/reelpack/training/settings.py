"""Settings that trainings of every kind have; without torch, for the workflow to check cards by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelpack.errors import UserError

PRECISIONS = ("fp32", "bf16")
# Keys that came later: with these values a training gives what it gave before it had them.
_PLAIN = {"devices": 1, "precision": "fp32", "patience": 0, "per_clip": False}
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
    left_out = {"pictures_every"}
    left_out |= {key for key, plain in _PLAIN.items() if training.get(key, plain) == plain}
    left_out |= set(_PLATEAU) if "patience" in left_out else set()
    return {key: value for key, value in training.items() if key not in left_out}
