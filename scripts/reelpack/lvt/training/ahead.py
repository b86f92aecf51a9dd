"""Batches that are read while the device still computes on the ones before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")
# A GPU waits for frames to be decoded; on a CPU the same cores would do both.
STEPS_AHEAD = {"cpu": 0, "cuda": 4}


class Ahead(Generic[Batch]):
    """Gives the batches of consecutive steps, several of them in the making.

    Args:
        read: gives the batch of a step, whichever thread asks.
        steps: steps of the whole training; none beyond them is read.
        ahead: how many batches are read before they are asked for, each by a thread of its own.
    """

    def __init__(self, read: Callable[[int], Batch], *, steps: int, ahead: int) -> None:
        self._read, self._steps, self._ahead = read, steps, ahead
        self._reading: dict[int, Future[Batch]] = {}
        self._pool = ThreadPoolExecutor(ahead, thread_name_prefix="read") if ahead else None

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step, raising what reading it raised."""
        if self._pool is None:
            return self._read(step)
        for later in range(step, min(step + self._ahead + 1, self._steps)):
            if later not in self._reading:
                self._reading[later] = self._pool.submit(self._read, later)
        return self._reading.pop(step).result()
