"""The subscale video transformer: codes of a slice given the slices before it.

R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704, section 3.2; the subscale
order and block-local attention are D. Weissenborn et al.'s, "Scaling Autoregressive Video Models",
2019, arXiv 1906.02634. Modules and parameters carry the names of the published checkpoints.

Codes are int64[B, codebooks, T, H, W] all over; N is the number of positions of a slice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.config.transformer_sizes import Sizes, Triple
from reelpack.core.errors import UserError
from reelpack.lvt.transformer.layers import (
    BlockLocalAttention,
    CausalConvolution,
    encode_positions,
)
from reelpack.lvt.transformer.subscale import HIDDEN, SubscaleTables, make_tables


class ContextReader(nn.Module):
    """Reads finished slices: codes of a window around each position to float[B, N, width]."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.conv = nn.Conv3d(sizes.codebooks * sizes.codes, sizes.embedding, sizes.kernel)
        self.slice_embedding = nn.Embedding(sizes.slices, sizes.embedding)
        self.linear_projector = nn.Conv3d(sizes.embedding, sizes.width, 1, bias=False)
        self.block_local_attention = _make_attention(sizes, sizes.encoder_heads, causal=False)

    def read_windows(self, codes: Tensor, slices: Tensor, tables: SubscaleTables) -> Tensor:
        """Return float[B, N, embedding], a convolution over the codes as one-hot vectors.

        It is computed as a sum of the kernel's rows, which gives the same in a fraction of the time.
        """
        sizes = self.sizes
        seen = tables.context.to(codes.device)[slices]
        flat = codes.flatten(2)
        picked = flat.gather(2, seen.clamp(min=0).flatten(1)[:, None].expand(-1, flat.shape[1], -1))
        taps = seen.shape[2]
        # Rows of the table: tap of the kernel, codebook, code; the last row is for hidden ones.
        starts = torch.arange(taps * sizes.codebooks, device=codes.device) * sizes.codes
        rows = picked.view(*picked.shape[:2], -1, taps).permute(0, 2, 3, 1)
        rows = rows + starts.view(taps, sizes.codebooks)
        nothing = taps * sizes.codebooks * sizes.codes
        rows = rows.masked_fill((seen == HIDDEN).unsqueeze(3), nothing)
        weight = self.conv.weight.flatten(2).permute(2, 1, 0).reshape(nothing, -1)
        found: Tensor = F.embedding_bag(
            rows.reshape(-1, taps * sizes.codebooks),
            F.pad(weight, (0, 0, 0, 1)),
            mode="sum",
            padding_idx=nothing,
        )
        assert self.conv.bias is not None
        return found.view(len(codes), -1, sizes.embedding) + self.conv.bias

    def forward(self, codes: Tensor, slices: Tensor, tables: SubscaleTables) -> Tensor:
        """Map codes and int64[B] slice numbers to float[B, N, width]."""
        x: Tensor = self.read_windows(codes, slices, tables) + self.slice_embedding(slices)[:, None]
        x = F.linear(x, self.linear_projector.weight.flatten(1))
        for layer in self.block_local_attention:
            x = layer(x, tables.shape)
        return x


class SliceReader(nn.Module):
    """Reads a slice in raster order: its codes and its context to float[B, N, width]."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.ch_embedder = nn.ModuleList(
            nn.Embedding(sizes.codes, sizes.embedding) for _ in range(sizes.codebooks)
        )
        self.conv = CausalConvolution(sizes.embedding, sizes.width)
        self.linear_projector = nn.Conv3d(sizes.width, sizes.width, 1, bias=False)
        self.block_local_attention = _make_attention(sizes, sizes.decoder_heads, causal=True)

    def embed(self, codes: Tensor) -> Tensor:
        """Map int64[B, codebooks, ...] to float[B, ..., embedding], the sum of the embeddings."""
        parts = [embed(codes[:, k]) for k, embed in enumerate(self.ch_embedder)]
        return torch.stack(parts).sum(0)

    def enter(self, codes: Tensor, context: Tensor, shape: Triple) -> Tensor:
        """Return what the first layer reads, float[B, N, width], from codes [B, codebooks, N]."""
        embedded = self.embed(codes).transpose(1, 2)
        x: Tensor = self.conv(embedded.reshape(*embedded.shape[:2], *shape))
        x = x.flatten(2).transpose(1, 2)
        return x + encode_positions(shape, self.sizes.width).to(x) + self.project(context)

    def project(self, context: Tensor) -> Tensor:
        """Map the context, float[B, N, width], to what is added to the slice's entry."""
        return F.linear(context, self.linear_projector.weight.flatten(1))

    def forward(self, codes: Tensor, context: Tensor, shape: Triple) -> Tensor:
        """Map int64[B, codebooks, N] and float[B, N, width] to float[B, N, width]."""
        x = self.enter(codes, context, shape)
        for layer in self.block_local_attention:
            x = layer(x, shape)
        return x


class Predictor(nn.Module):
    """Scores a position's codes, each codebook knowing the codes of those before it."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        width, codes = sizes.width, sizes.codes
        self.layer_norm = nn.LayerNorm(width)
        self.U = nn.ModuleList(nn.Linear(width + k * codes, width) for k in range(sizes.codebooks))
        self.P = nn.ModuleList(nn.Linear(width, codes) for _ in range(sizes.codebooks))

    def score(self, normed: Tensor, known: Tensor) -> Tensor:
        """Return the logits of the next codebook.

        Args:
            normed: float[M, width], after `layer_norm`.
            known: int64[k, M], the codes of the k codebooks before it.

        Returns:
            float[M, codes].
        """
        number, width = len(known), self.sizes.width
        hidden, out = self.U[number], self.P[number]
        assert isinstance(hidden, nn.Linear)
        x = F.linear(normed, hidden.weight[:, :width], hidden.bias)
        if number:
            starts = torch.arange(number, device=known.device)[:, None] * self.sizes.codes
            x = x + F.embedding(known + starts, hidden.weight[:, width:].t()).sum(0)
        logits: Tensor = out(F.relu(x))
        return logits

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Map float[B, N, width] and int64[B, codebooks, N] to float[B, codebooks, N, codes]."""
        normed = self.layer_norm(x).flatten(0, 1)
        known = codes.transpose(0, 1).flatten(1)
        scores = [self.score(normed, known[:k]) for k in range(self.sizes.codebooks)]
        return (
            torch.stack(scores).view(len(known), len(codes), -1, self.sizes.codes).transpose(0, 1)
        )


class VideoTransformer(nn.Module):
    """Context reader, slice reader and predictor.

    Args:
        sizes: the sizes.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = ContextReader(sizes)
        self.decoder = SliceReader(sizes)
        self.ch_predictor = Predictor(sizes)

    def make_tables(self, codes: Tensor) -> SubscaleTables:
        """Return the geometry for codes [B, codebooks, T, H, W].

        Raises:
            UserError: codes of another shape.
        """
        if codes.dim() != 5 or codes.shape[1] != self.sizes.codebooks:
            raise UserError(
                f"codes have shape {list(codes.shape)}, expected [B, {self.sizes.codebooks},"
                " T, H, W]"
            )
        frames, rows, columns = codes.shape[2:]
        return make_tables(self.sizes, (frames, rows, columns))

    def forward(self, codes: Tensor, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Score one slice of each video.

        Args:
            codes: int64[B, codebooks, T, H, W]; of later slices nothing is read.
            slices: int64[B], which slice of each video.

        Returns:
            logits float[B, codebooks, N, codes], and the slices' codes int64[B, codebooks, N].
        """
        tables = self.make_tables(codes)
        target = take_slices(codes, slices, tables)
        context = self.encoder(codes, slices, tables)
        return self.ch_predictor(self.decoder(target, context, tables.shape), target), target


def take_slices(codes: Tensor, slices: Tensor, tables: SubscaleTables) -> Tensor:
    """Return the codes of one slice of each video, int64[B, codebooks, N]."""
    places = tables.positions.to(codes.device)[slices]
    return codes.flatten(2).gather(2, places[:, None].expand(-1, codes.shape[1], -1))


def _make_attention(sizes: Sizes, heads: tuple[int, ...], *, causal: bool) -> nn.ModuleList:
    return nn.ModuleList(
        BlockLocalAttention(
            sizes.block, heads=n, width=sizes.width, head_width=sizes.head_width, causal=causal
        )
        for n in heads
    )
