"""Layers of the subscale video transformer; parameters carry the published checkpoints' names.

Sequences are float[B, N, width] with the N positions of a slice in raster order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from reelpack.config.transformer_sizes import Triple

LONGEST_WAVE = 1e4


class Attention(nn.Module):
    """Multi-head self-attention with a bias per head and pair of positions, and a residual."""

    def __init__(self, *, heads: int, width: int, head_width: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width)
        self.w_q = nn.Parameter(torch.empty(heads, width, head_width))
        self.w_k = nn.Parameter(torch.empty(heads, width, head_width))
        self.w_v = nn.Parameter(torch.empty(heads, width, head_width))
        self.proj = nn.Linear(heads * head_width, width, bias=False)
        for weight in (self.w_q, self.w_k, self.w_v):
            nn.init.xavier_normal_(weight)

    def join_projections(self) -> Tensor:
        """Return queries', keys' and values' weights as one, float[3 heads head_width, width]."""
        return torch.cat([self.w_q, self.w_k, self.w_v]).transpose(1, 2).flatten(0, 1)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map float[B, N, width] to queries, keys, values, each [B, heads, N, head_width]."""
        heads, _, head_width = self.w_q.shape
        joint = nn.functional.linear(self.layer_norm(x), self.join_projections())
        q, k, v = joint.view(*x.shape[:2], 3, heads, head_width).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map float[B, N, width] to the same shape.

        Args:
            x: the sequence.
            bias: float[heads, N, N], added to the scores; -inf hides a position.
        """
        q, k, v = self.split(x)
        mixed: Tensor = self.proj(attend(q, k, v, bias))
        return x + mixed


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Return softmax(q k / sqrt(width) + bias) v with the heads side by side.

    Args:
        q: float[B, heads, Q, head_width].
        k: float[B, heads, N, head_width].
        v: as k.
        bias: float[heads, Q, N].

    Returns:
        float[B, Q, heads * head_width].
    """
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + bias
    return (scores.softmax(dim=3) @ v).transpose(1, 2).flatten(2)


class BlockLocalAttention(nn.Module):
    """Attention inside blocks of a slice, then two dense layers.

    The bias is a sum of learned values for the distance of two positions along each axis.

    Args:
        block: sides of a block.
        heads: attention heads.
        width: channels.
        head_width: channels of a head.
        causal: let positions see none that come later in raster order.
    """

    def __init__(
        self, block: Triple, *, heads: int, width: int, head_width: int, causal: bool
    ) -> None:
        super().__init__()
        self.block, self.causal = block, causal
        self.mha = Attention(heads=heads, width=width, head_width=head_width)
        self.ffn = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.dt_bank = nn.Parameter(torch.zeros(heads, 2 * block[0] - 1))
        self.dh_bank = nn.Parameter(torch.zeros(heads, 2 * block[1] - 1))
        self.dw_bank = nn.Parameter(torch.zeros(heads, 2 * block[2] - 1))

    def bias(self) -> Tensor:
        """Return float[heads, N, N] for the N positions of a block, -inf where none may look."""
        # Axis by axis: values gathered for all pairs of positions take a third of a training's time
        # to hand their gradients back.
        heads = len(self.dt_bank)
        rows = _spread(self.dt_bank).view(heads, self.block[0], 1, 1, self.block[0], 1, 1)
        rows = rows + _spread(self.dh_bank).view(heads, 1, self.block[1], 1, 1, self.block[1], 1)
        rows = rows + _spread(self.dw_bank).view(heads, 1, 1, self.block[2], 1, 1, self.block[2])
        total = rows.reshape(heads, math.prod(self.block), -1)
        if not self.causal:
            return total
        later = torch.ones(total.shape[1:], dtype=torch.bool, device=total.device).triu(1)
        return total.masked_fill(later, -math.inf)

    def forward(self, x: Tensor, shape: Triple) -> Tensor:
        """Map float[B, N, width] to the same shape; `shape` are the slice's sides."""
        return from_blocks(self.inside(to_blocks(x, shape, self.block)), shape, self.block)

    def inside(self, blocks: Tensor) -> Tensor:
        """Map float[blocks, positions of a block, width] to the same shape."""
        mixed = self.mha(blocks, self.bias())
        x: Tensor = mixed + self.ffn(mixed)
        return x


def _spread(bank: Tensor) -> Tensor:
    """Map the values of one axis, float[heads, 2 side - 1], to float[heads, side, side]."""
    places = torch.arange((bank.shape[1] + 1) // 2, device=bank.device)
    return bank[:, places[:, None] - places + len(places) - 1]


def measure_distances(block: Triple) -> tuple[Tensor, Tensor, Tensor]:
    """Return per axis int64[N, N], how far position i lies behind j, counted from 0."""
    t, h, w = torch.meshgrid(*(torch.arange(side) for side in block), indexing="ij")
    flat = [axis.flatten() for axis in (t, h, w)]
    along = [
        axis[:, None] - axis[None, :] + side - 1 for axis, side in zip(flat, block, strict=True)
    ]
    return along[0], along[1], along[2]


def to_blocks(x: Tensor, shape: Triple, block: Triple) -> Tensor:
    """Cut float[B, t h w, C] into float[B * blocks, positions of a block, C]."""
    if shape == block:
        return x
    (t, h, w), (bt, bh, bw) = shape, block
    parts = x.view(-1, t // bt, bt, h // bh, bh, w // bw, bw, x.shape[2])
    return parts.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, bt * bh * bw, x.shape[2])


def from_blocks(x: Tensor, shape: Triple, block: Triple) -> Tensor:
    """Undo `to_blocks`."""
    if shape == block:
        return x
    (t, h, w), (bt, bh, bw) = shape, block
    parts = x.view(-1, t // bt, h // bh, w // bw, bt, bh, bw, x.shape[2])
    return parts.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(-1, t * h * w, x.shape[2])


class CausalConvolution(nn.Module):
    """A 3x3x3 convolution that sees only positions before its own in raster order."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, width, 3)

    def weight(self) -> Tensor:
        """Return float[width, channels, 3, 3, 3] without the taps that would look ahead."""
        seen = torch.ones(3, 3, 3, dtype=torch.bool, device=self.conv.weight.device)
        seen[2, 2, 1:] = False
        return self.conv.weight.masked_fill(~seen, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, channels, t, h, w] to float[B, width, t, h, w]."""
        # Taps on frames before the first would meet nothing but zeros.
        frames = min(3, x.shape[2])
        padded = nn.functional.pad(x, (1, 1, 2, 0, frames - 1, 0))
        return nn.functional.conv3d(padded, self.weight()[:, :, -frames:], self.conv.bias)


def encode_positions(shape: Triple, width: int) -> Tensor:
    """Return float[t h w, width], sines and cosines of each axis in its own third of the channels.

    As in A. Vaswani et al., "Attention Is All You Need", 2017, arXiv 1706.03762, per axis.
    """
    waves = width // 6
    rates = torch.exp(torch.arange(waves).float() * -(math.log(LONGEST_WAVE) / waves))
    axes = torch.meshgrid(*(torch.arange(side).float() for side in shape), indexing="ij")
    parts = [
        trigonometric
        for axis in axes
        for scaled in [axis.flatten()[:, None] * rates]
        for trigonometric in (scaled.sin(), scaled.cos())
    ]
    waved = torch.cat(parts, dim=1)
    return nn.functional.pad(waved, (0, width - waved.shape[1]))
