"""How codes learn: they follow the vectors that choose them, and unused ones move.

A. van den Oord et al., "Neural Discrete Representation Learning", 2017, arXiv 1711.00937,
appendix A: a code is the decaying mean of the vectors that chose it. A code that nothing chooses has
no mean to follow, for size and sum both fade away; it moves onto a vector of the current batch, as
in P. Dhariwal et al., "Jukebox", 2020, arXiv 2005.00341. At the first step that is every code, so
the codes start where the encoder's outputs are.

Where several processes share a batch, the codes follow the vectors of all of them, and are the same
in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reelpack.encoders.vqvae import Codebook, SubCodebook
from reelpack.lvt.training.share import ALONE, Share

# Shares of the mean use (vectors per code and step): below the first a code counts as unused; a
# moved code starts with the second, so that at a decay of 0.99 it has 69 steps to find users.
DEAD_SHARE = 1 / 32
MOVED_SHARE = 1 / 16


@dataclass(frozen=True)
class Learned:
    """What one batch gave.

    Attributes:
        straight_through: the nearest codes, float[B, filters, h, w]; their gradient goes to the
            features as it is.
        target: the same codes after they learned from the batch, without gradient.
        counts: int64[codebooks, codes], how often the total batch chose each code.
    """

    straight_through: Tensor
    target: Tensor
    counts: Tensor


def learn(
    codebook: Codebook,
    features: Tensor,
    *,
    decay: float,
    epsilon: float,
    seed: tuple[int, ...],
    share: Share = ALONE,
) -> Learned:
    """Quantise features and let the codes learn from them.

    Args:
        codebook: changed in place.
        features: float32[B, filters, h, w], this process's part of a batch.
        decay: of running sizes and sums, per call.
        epsilon: smoothing of the running sizes.
        seed: decides, with the features, where unused codes move.
        share: which part that is.
    """
    detached = features.detach()
    parts, vectors = codebook.parts(), codebook.split(detached)
    _move_unused(parts, vectors, seed=seed, share=share)
    chosen = [part.nearest(mine) for part, mine in zip(parts, vectors, strict=True)]
    before = [part.embedding(mine) for part, mine in zip(parts, chosen, strict=True)]
    counts = _follow(parts, vectors, chosen, decay=decay, epsilon=epsilon, share=share)
    after = [part.embedding(mine) for part, mine in zip(parts, chosen, strict=True)]
    quantised = codebook.join(before, features.shape)
    return Learned(
        straight_through=quantised + (features - detached),
        target=codebook.join(after, features.shape),
        counts=counts,
    )


def count_used_codes(counts: Tensor) -> float:
    """Return how many codes were chosen, the mean over int64[codebooks, codes]."""
    return float((counts > 0).sum(1).double().mean())


def mean_perplexity(counts: Tensor) -> float:
    """Return exp of the entropy of the codes' use, the mean over int64[codebooks, codes]."""
    shares = counts.double() / counts.sum(1, keepdim=True)
    return float(torch.special.entr(shares).sum(1).exp().mean())


@torch.no_grad()
def _move_unused(
    parts: Sequence[SubCodebook],
    vectors: Sequence[Tensor],
    *,
    seed: tuple[int, ...],
    share: Share,
) -> None:
    count = len(vectors[0])
    mean_use = count * share.of / len(parts[0].running_size)
    unused = [(p.running_size < DEAD_SHARE * mean_use).nonzero().squeeze(1) for p in parts]
    if not any(len(codes) for codes in unused):
        return
    places = []
    for number, (codes, mine) in enumerate(zip(unused, vectors, strict=True)):
        picks = np.random.default_rng((*seed, number)).integers(count * share.of, size=len(codes))
        own = torch.from_numpy(picks - count * share.rank).to(mine.device)
        held = (own >= 0) & (own < count)
        found = mine[own.clamp(0, count - 1)]
        places.append(torch.where(held.unsqueeze(1), found, 0))
    # Each vector is held by one process, and the others add nothing.
    moved = torch.split(share.total(torch.cat(places)), [len(codes) for codes in unused])
    for part, codes, place in zip(parts, unused, moved, strict=True):
        part.embedding.weight[codes] = place
        part.running_size[codes] = MOVED_SHARE * mean_use
        part.running_sum[codes] = MOVED_SHARE * mean_use * place


@torch.no_grad()
def _follow(
    parts: Sequence[SubCodebook],
    vectors: Sequence[Tensor],
    chosen: Sequence[Tensor],
    *,
    decay: float,
    epsilon: float,
    share: Share,
) -> Tensor:
    """Move the codes to the means of their vectors; return how often each was chosen."""
    codes = len(parts[0].running_size)
    counts = share.total(torch.stack([torch.bincount(c, minlength=codes) for c in chosen]))
    sums = [
        torch.zeros_like(part.running_sum).index_add_(0, mine, found)
        for part, mine, found in zip(parts, chosen, vectors, strict=True)
    ]
    all_sums = share.total(torch.stack(sums))
    for number, part in enumerate(parts):
        part.running_size.mul_(decay).add_(counts[number], alpha=1 - decay)
        part.running_sum.mul_(decay).add_(all_sums[number], alpha=1 - decay)
        total = part.running_size.sum()
        sizes = (part.running_size + epsilon) / (total + codes * epsilon) * total
        part.embedding.weight.copy_(part.running_sum / sizes.unsqueeze(1))
    return counts
