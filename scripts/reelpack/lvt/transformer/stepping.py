"""Read a slice position by position, keeping what was computed for those before."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpack.config.transformer_sizes import Triple
from reelpack.lvt.transformer.layers import (
    BlockLocalAttention,
    attend,
    encode_positions,
    to_blocks,
)
from reelpack.lvt.transformer.model import SliceReader


class _Cache(NamedTuple):
    """One layer with its keys and values so far, each float[B, blocks, heads, n, head_width]."""

    layer: BlockLocalAttention
    projections: Tensor
    bias: Tensor
    keys: Tensor
    values: Tensor


class SliceStepper:
    """Steps through one slice of each video in raster order.

    Args:
        decoder: the slice reader.
        context: float[B, N, width], from the finished slices.
        shape: sides of the slice (t, h, w).
    """

    def __init__(self, decoder: SliceReader, context: Tensor, shape: Triple) -> None:
        self._decoder, self._shape = decoder, shape
        self._context = context
        self._added = decoder.project(context)
        self._added = self._added + encode_positions(shape, decoder.sizes.width).to(context)
        t, h, w = shape
        self._depth = min(3, t)
        weight = decoder.conv.weight()[:, :, -self._depth :]
        self._taps = weight.permute(0, 2, 3, 4, 1).flatten(1).contiguous()
        # Padded as the convolution pads: frames and rows before the first, a column on each side.
        self._embedded = context.new_zeros(
            len(context), t + self._depth - 1, h + 2, w + 2, decoder.sizes.embedding
        )
        self._place = _place_positions(shape, decoder.sizes.block)
        self._caches = [
            self._make_cache(layer)
            for layer in decoder.block_local_attention
            if isinstance(layer, BlockLocalAttention)
        ]

    def _make_cache(self, layer: BlockLocalAttention) -> _Cache:
        heads, _, head_width = layer.mha.w_q.shape
        inside = math.prod(layer.block)
        blocks = math.prod(self._shape) // inside
        empty = self._context.new_zeros(len(self._context), blocks, heads, inside, head_width)
        projections = layer.mha.join_projections().contiguous()
        return _Cache(layer, projections, layer.bias(), empty, empty.clone())

    def prefill(self, codes: Tensor, known: int) -> None:
        """Take in the first `known` positions of int64[B, codebooks, N] at once.

        What is computed for the others is overwritten before it is read. Blocks that are all known or
        all unknown are passed over, for nobody will look at what they hold now.
        """
        embedded = self._decoder.embed(codes)
        place = self._embedded[:, self._depth - 1 :, 2:, 1:-1]
        place.copy_(embedded.view(place.shape))
        early = {block for block, _ in self._place[:known]}
        begun = sorted(early & {block for block, _ in self._place[known:]})
        if not begun:
            return
        x = self._decoder.enter(codes, self._context, self._shape)
        blocks = to_blocks(x, self._shape, self._decoder.sizes.block)
        blocks = blocks.view(len(codes), -1, *blocks.shape[1:])[:, begun].flatten(0, 1)
        for cache in self._caches:
            attention = cache.layer.mha
            _, keys, values = attention.split(blocks)
            cache.keys[:, begun] = keys.view(len(codes), len(begun), *keys.shape[1:])
            cache.values[:, begun] = values.view(len(codes), len(begun), *values.shape[1:])
            blocks = cache.layer.inside(blocks)

    def read(self, position: int) -> Tensor:
        """Return the slice reader's output at one position, float[B, width].

        All positions before it must have been written.
        """
        ti, hi, wi = _locate(position, self._shape)
        patch = self._embedded[:, ti : ti + self._depth, hi : hi + 3, wi : wi + 3]
        x = F.linear(patch.flatten(1), self._taps, self._decoder.conv.conv.bias)
        x = (x + self._added[:, position])[:, None]
        block, inside = self._place[position]
        for cache in self._caches:
            x = self._step(cache, x, block, inside)
        return x[:, 0]

    def _step(self, cache: _Cache, x: Tensor, block: int, inside: int) -> Tensor:
        """Map float[B, 1, width] through one layer at one position of one block."""
        attention = cache.layer.mha
        joint = F.linear(attention.layer_norm(x), cache.projections)
        _, _, heads, _, head_width = cache.keys.shape
        q, k, v = joint.view(len(x), 3, heads, 1, head_width).unbind(1)
        cache.keys[:, block, :, inside : inside + 1] = k
        cache.values[:, block, :, inside : inside + 1] = v
        seen = slice(0, inside + 1)
        mixed = attend(
            q,
            cache.keys[:, block, :, seen],
            cache.values[:, block, :, seen],
            cache.bias[:, inside : inside + 1, seen],
        )
        mixed = x + attention.proj(mixed)
        stepped: Tensor = mixed + cache.layer.ffn(mixed)
        return stepped

    def write(self, position: int, codes: Tensor) -> None:
        """Set the codes of one position, int64[B, codebooks]."""
        ti, hi, wi = _locate(position, self._shape)
        embedded = self._decoder.embed(codes)
        self._embedded[:, ti + self._depth - 1, hi + 2, wi + 1] = embedded


def _locate(position: int, shape: Triple) -> Triple:
    _, h, w = shape
    return position // (h * w), position // w % h, position % w


def _place_positions(shape: Triple, block: Triple) -> list[tuple[int, int]]:
    """Return for each position of a slice its block and its place inside."""
    positions = torch.arange(math.prod(shape)).view(1, -1, 1)
    table = to_blocks(positions, shape, block)[:, :, 0]
    places = [(0, 0)] * math.prod(shape)
    for number, row in enumerate(table.tolist()):
        for inside, position in enumerate(row):
            places[position] = (number, inside)
    return places
