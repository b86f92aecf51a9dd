"""Sizes of a subscale video transformer, and the four that were published.

R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704, after D. Weissenborn et al.,
"Scaling Autoregressive Video Models", 2019, arXiv 1906.02634.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reelpack.config.schema import check
from reelpack.core.errors import UserError

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model; the defaults are those of DSFVT, which takes one frame per slice.

    Triples are (frames, rows, columns).

    Attributes:
        codebooks: codes per position.
        codes: entries of each codebook.
        stride: distance of a slice's neighbours; their product is the number of slices.
        kernel: odd sides of the window of finished slices that a position's context is made of.
        block: sides of the blocks inside which positions attend to each other.
        embedding: channels of embedded codes.
        width: channels of all layers.
        head_width: channels of one attention head.
        encoder_heads: heads of each layer that reads the context.
        decoder_heads: heads of each layer that reads the slice.
    """

    codebooks: int = 4
    codes: int = 512
    stride: Triple = (16, 1, 1)
    kernel: Triple = (7, 1, 1)
    block: Triple = (1, 16, 16)
    embedding: int = 128
    width: int = 512
    head_width: int = 128
    encoder_heads: tuple[int, ...] = (8,) * 8
    decoder_heads: tuple[int, ...] = (8,) * 8

    def __post_init__(self) -> None:
        if any(side % 2 == 0 for side in self.kernel):
            raise UserError(f"architecture.kernel: {list(self.kernel)}; allowed: odd sides")

    @property
    def slices(self) -> int:
        """Into how many slices a video falls."""
        return math.prod(self.stride)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Sizes:
        """Read a card's `architecture:` mapping; missing sizes take the defaults.

        Raises:
            UserError: unknown key, or a size out of range.
        """
        sizes = check("transformer", dict(mapping), "architecture", where="architecture")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in sizes.items()
        }
        return cls(**values)

    def slice_shape(self, video: Triple) -> Triple:
        """Return the sides of the slices of a video of these sides.

        Raises:
            UserError: the video does not fall into whole slices, or these into whole blocks.
        """
        t, h, w = (side // step for side, step in zip(video, self.stride, strict=True))
        whole = all(side % step == 0 for side, step in zip(video, self.stride, strict=True))
        if not whole or any(side % b for side, b in zip((t, h, w), self.block, strict=True)):
            raise UserError(
                f"codes of {list(video)} (frames, rows, columns) do not fall into slices of stride"
                f" {list(self.stride)} and blocks of {list(self.block)}"
            )
        return t, h, w


# The names of the published configurations; KDSFVT is DSFVT's model for Kinetics.
PRESETS: Mapping[str, Sizes] = {
    "DSFVT": Sizes(),
    "DSSVT": Sizes(stride=(1, 2, 2), kernel=(1, 3, 3), block=(4, 8, 8)),
    "DSTSVT": Sizes(stride=(4, 2, 2), kernel=(5, 3, 3), block=(4, 8, 8)),
    "KDSFVT": Sizes(),
}
