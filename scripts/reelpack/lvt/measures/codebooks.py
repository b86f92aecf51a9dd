"""How the codes of a model are used: counted in all codes of a split, shard by shard."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelpack.core.files import reading
from reelpack.encode.codes import CodesShard

Counts = NDArray[np.int64]


def count_codes(shards: Iterable[Path], *, codebooks: int, codes: int) -> Counts:
    """Count every code of every clip, all crop sets together; memory holds a piece of one shard.

    Args:
        shards: codes shards with int[T, codebooks, h, w] per crop set.
        codebooks: sub-codebooks of the model.
        codes: entries of each sub-codebook.

    Returns:
        int64[codebooks, codes], how often each code occurs.

    Raises:
        DamagedError: a shard cannot be read, or holds what is not a code of this model.
    """
    counts = np.zeros((codebooks, codes), np.int64)
    for path in shards:
        with reading(path):
            for block in CodesShard(path).blocks():
                if block.ndim != 4 or block.shape[1] != codebooks:
                    raise ValueError(f"codes {list(block.shape)}, not [T, {codebooks}, h, w]")
                for book in range(codebooks):
                    counts[book] += np.bincount(block[:, book].ravel(), minlength=codes)
    return counts


def perplexity(counts: Counts) -> float:
    """Return exp of the entropy: how many equally frequent codes would be as varied; 0 without codes.

    Args:
        counts: int64[V], how often each code occurs.
    """
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def describe_codebooks(counts: Counts) -> list[dict[str, Any]]:
    """Return for every sub-codebook what of it is used.

    Args:
        counts: int64[codebooks, codes].

    Returns:
        Per sub-codebook its size, the codes that occur at all (`used`), perplexity, the share of the
        most used code (`top_share`), and how many codes were counted (`counted`).
    """
    return [
        {
            "codebook": number,
            "size": len(book),
            "used": int(np.count_nonzero(book)),
            "perplexity": perplexity(book),
            "top_share": float(book.max() / max(int(book.sum()), 1)),
            "counted": int(book.sum()),
        }
        for number, book in enumerate(counts)
    ]
