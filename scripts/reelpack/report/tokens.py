"""How a recipe's tokens are spread over the vocabulary, from a sample of its codes shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelpack.core.errors import DamagedError
from reelpack.core.evenly import evenly
from reelpack.encode.codes import CodesShard
from reelpack.lvt.measures.codebooks import perplexity

SAMPLED_SHARDS = 16
SAMPLED_CLIPS = 64
# Larger numbers are not tokens of any encoder here, and would take memory to count.
_LARGEST_TOKEN = 1 << 24


@dataclass(frozen=True)
class TokenUse:
    """The tokens of one codebook in the sampled clips.

    Attributes:
        codebook: its number, from 0.
        vocabulary: how many tokens there are, None where nobody knows.
        counts: int64[V], how often each token occurs; V is the vocabulary, or what the largest
            token shows of it.
        clips: how many clips were sampled.
        shards: from how many shards.
    """

    codebook: int
    vocabulary: int | None
    counts: NDArray[np.int64]
    clips: int
    shards: int

    @property
    def tokens(self) -> int:
        """How many tokens were counted."""
        return int(self.counts.sum())

    @property
    def used(self) -> int:
        """How many different tokens occur."""
        return int(np.count_nonzero(self.counts))

    @property
    def perplexity(self) -> float:
        """How many equally frequent tokens would be as varied."""
        return perplexity(self.counts)


def count_tokens(folder: Path, *, vocabulary: int | None) -> list[TokenUse]:
    """Count the tokens of a sample of a recipe's clips, all crop sets together.

    The sample is spread evenly over the shards and over the clips of each.

    Args:
        folder: `results/{dataset}/{split}/encoded/{recipe}`.
        vocabulary: tokens per codebook, None where nobody knows.

    Returns:
        One entry per codebook; none when there is no shard, or when it holds no tokens.
    """
    shards = evenly(sorted(folder.glob("*.safetensors")), SAMPLED_SHARDS)
    counts: dict[int, NDArray[np.int64]] = {}
    clips = 0
    for path in shards:
        try:
            shard = CodesShard(path)
        except (DamagedError, FileNotFoundError):  # a run beside the report may replace it
            continue
        for number in evenly(range(len(shard)), -(-SAMPLED_CLIPS // len(shards))):
            arrays = [array for array in shard.clip(number) if _are_tokens(array)]
            clips += bool(arrays)
            for array in arrays:
                _add_counts(counts, array, vocabulary or 0)
    return [
        TokenUse(codebook, vocabulary, found, clips, len(shards))
        for codebook, found in sorted(counts.items())
    ]


def _are_tokens(array: NDArray[Any]) -> bool:
    return (
        array.dtype.kind in "iu"
        and array.size > 0
        and 0 <= array.min() <= array.max() < _LARGEST_TOKEN
    )


def _add_counts(counts: dict[int, NDArray[np.int64]], array: NDArray[Any], vocabulary: int) -> None:
    books = [array[:, book] for book in range(array.shape[1])] if array.ndim == 4 else [array]
    for number, book in enumerate(books):
        new = np.bincount(book.ravel(), minlength=vocabulary).astype(np.int64)
        old = counts.get(number, np.zeros(0, np.int64))
        counts[number] = np.zeros(max(len(new), len(old)), np.int64)
        counts[number][: len(new)] += new
        counts[number][: len(old)] += old
