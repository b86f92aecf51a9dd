"""Small models and codes, equal on every machine and in every version of torch."""

import zlib

import numpy as np
import torch

from reelpack.config.transformer_sizes import Sizes
from reelpack.lvt.transformer.model import VideoTransformer

COMMON = {
    "codebooks": 2,
    "codes": 5,
    "embedding": 6,
    "width": 12,
    "head_width": 4,
    "encoder_heads": (2, 2),
    "decoder_heads": (2, 2),
}
# One of each published kind: whole frames, halved sides, both; the last two in several blocks.
FRAMES = Sizes(stride=(4, 1, 1), kernel=(3, 1, 1), block=(1, 4, 4), **COMMON)
SPATIAL = Sizes(stride=(1, 2, 2), kernel=(1, 3, 3), block=(2, 2, 2), **COMMON)
BOTH = Sizes(stride=(2, 2, 2), kernel=(3, 3, 3), block=(1, 2, 1), **COMMON)
KINDS = {"frames": FRAMES, "spatial": SPATIAL, "both": BOTH}


def model(sizes: Sizes) -> VideoTransformer:
    """A model whose every parameter is drawn by its name."""
    made = VideoTransformer(sizes)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            noise = np.random.default_rng(zlib.crc32(name.encode()))
            values = noise.standard_normal(tuple(parameter.shape)) * 0.4
            parameter.copy_(torch.from_numpy(values))
    return made.eval()


def codes(batch: int, sizes: Sizes = FRAMES, *, seed: int = 0, frames: int = 4) -> torch.Tensor:
    """int64[batch, codebooks, frames, 4, 4]."""
    noise = np.random.default_rng(seed)
    return torch.from_numpy(
        noise.integers(sizes.codes, size=(batch, sizes.codebooks, frames, 4, 4))
    )


def all_logits(model, codes):
    """float[B, codebooks, T H W, codes], every slice scored."""
    plan = model.make_tables(codes)
    found = torch.zeros(*codes.flatten(2).shape, model.sizes.codes)
    for number, places in enumerate(plan.positions):
        with torch.no_grad():
            found[:, :, places], _ = model(codes, torch.full((len(codes),), number))
    return found


class Held:
    """Videos in memory."""

    def __init__(self, codes):
        self.codes, self.frames = codes, [len(c) for c in codes]

    def __getitem__(self, index):
        return self.codes[index]
