"""How codes learn: they follow the vectors that choose them, and unused ones move.

A. van den Oord et al., "Neural Discrete Representation Learning", 2017, arXiv 1711.00937,
appendix A: a code is the decaying mean of the vectors that chose it. A code that nothing chooses has
no mean to follow, for size and sum both fade away; it moves onto a vector of the current batch, as
in P. Dhariwal et al., "Jukebox", 2020, arXiv 2005.00341. At the first step that is every code, so
the codes start where the encoder's outputs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .vqvae import Codebook, SubCodebook

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
        codes_used: codes that the batch chose, mean over the sub-codebooks.
        perplexity: exp of the entropy of their use, mean over the sub-codebooks.
    """

    straight_through: Tensor
    target: Tensor
    codes_used: float
    perplexity: float


def learn(
    codebook: Codebook,
    features: Tensor,
    *,
    decay: float,
    epsilon: float,
    seed: tuple[int, ...],
) -> Learned:
    """Quantise features and let the codes learn from them.

    Args:
        codebook: changed in place.
        features: float[B, filters, h, w].
        decay: of running sizes and sums, per call.
        epsilon: smoothing of the running sizes.
        seed: decides, with the features, where unused codes move.
    """
    detached = features.detach()
    before, after, counts = [], [], []
    for number, (part, vectors) in enumerate(
        zip(codebook.parts(), codebook.split(detached), strict=True)
    ):
        _move_unused(part, vectors, seed=(*seed, number))
        chosen = part.nearest(vectors)
        before.append(part.embedding(chosen))
        counts.append(_follow(part, vectors, chosen, decay=decay, epsilon=epsilon))
        after.append(part.embedding(chosen))
    quantised = codebook.join(before, features.shape)
    used = torch.stack(counts)
    return Learned(
        straight_through=quantised + (features - detached),
        target=codebook.join(after, features.shape),
        codes_used=(used > 0).sum(1).double().mean().item(),
        perplexity=_perplexity(used),
    )


@torch.no_grad()
def _move_unused(part: SubCodebook, vectors: Tensor, *, seed: tuple[int, ...]) -> None:
    mean_use = len(vectors) / len(part.running_size)
    unused = (part.running_size < DEAD_SHARE * mean_use).nonzero().squeeze(1)
    if not len(unused):
        return
    picks = np.random.default_rng(seed).integers(len(vectors), size=len(unused))
    places = vectors[torch.from_numpy(picks).to(vectors.device)]
    part.embedding.weight[unused] = places
    part.running_size[unused] = MOVED_SHARE * mean_use
    part.running_sum[unused] = MOVED_SHARE * mean_use * places


@torch.no_grad()
def _follow(
    part: SubCodebook, vectors: Tensor, chosen: Tensor, *, decay: float, epsilon: float
) -> Tensor:
    """Move the codes to the means of their vectors; return how often each was chosen."""
    codes = len(part.running_size)
    counts = torch.bincount(chosen, minlength=codes)
    sums = torch.zeros_like(part.running_sum).index_add_(0, chosen, vectors)
    part.running_size.mul_(decay).add_(counts, alpha=1 - decay)
    part.running_sum.mul_(decay).add_(sums, alpha=1 - decay)
    total = part.running_size.sum()
    sizes = (part.running_size + epsilon) / (total + codes * epsilon) * total
    part.embedding.weight.copy_(part.running_sum / sizes.unsqueeze(1))
    return counts


def _perplexity(counts: Tensor) -> float:
    shares = counts.double() / counts.sum(1, keepdim=True)
    return float(torch.special.entr(shares).sum(1).exp().mean())
