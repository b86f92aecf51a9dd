"""Which items a step learns from: a function of seed and step, so that resuming needs no history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Indices = np.ndarray[Any, np.dtype[np.int64]]
Order = Callable[[int], Indices]


def order_batches(count: int, batch: int, seed: int) -> Order:
    """Return the function from a step to the items of its batch, int64[batch].

    The items pass in shuffled rounds; a round's order depends on nothing but seed and round.
    """

    @lru_cache(maxsize=2)
    def shuffled(round_number: int) -> Indices:
        return np.random.default_rng([seed, round_number]).permutation(count)

    return _cut_rounds(shuffled, count, batch)


def order_clips(counts: Sequence[int], batch: int, seed: int) -> Order:
    """Return the function from a step to the frames of its batch, int64[batch].

    A round passes every clip once, in shuffled order, and takes one of its frames, drawn anew in
    every round.

    Args:
        counts: frames of each clip, at least one; clip after clip they are the frames 0, 1, 2 ...
        batch: frames per step.
        seed: decides the order and the draws.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    starts = np.cumsum(lengths) - lengths

    @lru_cache(maxsize=2)
    def drawn(round_number: int) -> Indices:
        noise = np.random.default_rng([seed, round_number])
        clips = noise.permutation(len(lengths))
        frames: Indices = (starts + noise.integers(lengths))[clips]
        return frames

    return _cut_rounds(drawn, len(lengths), batch)


def _cut_rounds(passed: Callable[[int], Indices], count: int, batch: int) -> Order:
    """Cut rounds of `count` items, one behind the other, into batches."""

    def indices(step: int) -> Indices:
        positions = range(step * batch, (step + 1) * batch)
        return np.array([passed(p // count)[p % count] for p in positions], dtype=np.int64)

    return indices
