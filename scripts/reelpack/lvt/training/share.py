"""Which part of every batch a process has, and sums over the parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch.distributed
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """One of several processes that compute a batch together.

    Attributes:
        rank: its number, from 0; its part of a batch is the `rank`-th of `of` equal ones.
        of: how many there are.
    """

    rank: int = 0
    of: int = 1

    def part(self, count: int) -> slice:
        """Return which of `count` items of a batch are this process's."""
        size = count // self.of
        return slice(self.rank * size, (self.rank + 1) * size)

    def total(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place: the same bits in each of them.

        Fabric's own sums wait for all processes first, which a training's every step cannot afford.
        """
        if self.of > 1:
            torch.distributed.all_reduce(tensor)
        return tensor


ALONE = Share()
