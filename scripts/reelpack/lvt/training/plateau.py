"""Early stop: when the mean loss of a stretch of steps no longer falls."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class Plateau:
    """Watches the mean of a loss over every `every` steps.

    Args:
        every: steps of a stretch.
        patience: stop after that many stretches in a row without an improvement; 0 never stops.
        min_improvement: by what part of the best mean so far another one must be lower to count.
    """

    def __init__(self, *, every: int, patience: int, min_improvement: float) -> None:
        self.every = every
        self.patience = patience
        self.min_improvement = min_improvement
        self.best, self.misses, self.steps = math.inf, 0, 0
        self._sum: Tensor | None = None

    @property
    def reached(self) -> bool:
        """Whether it is time to stop."""
        return 0 < self.patience <= self.misses

    def add(self, loss: Tensor) -> None:
        """Take one step's loss, a tensor of one number; only a stretch's end waits for it."""
        if not self.patience:
            return
        one = loss.detach().double()
        self._sum = one if self._sum is None else self._sum + one
        self.steps += 1
        if self.steps == self.every:
            self._end(self._sum.item() / self.every)

    def _end(self, mean: float) -> None:
        self._sum, self.steps = None, 0
        # A loss that is not a number is not an improvement either.
        if mean < self.best * (1 - self.min_improvement):
            self.best, self.misses = mean, 0
        else:
            self.misses += 1

    def state(self) -> dict[str, Any]:
        """Return what going on needs."""
        total = None if self._sum is None else self._sum.item()
        return {"best": self.best, "misses": self.misses, "steps": self.steps, "sum": total}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.best, self.misses, self.steps = (state[key] for key in ("best", "misses", "steps"))
        total = state["sum"]
        self._sum = None if total is None else torch.tensor(total, dtype=torch.float64)
