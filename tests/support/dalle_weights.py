"""Weights of the dVAE's true architecture and file format, with fixed random values."""

from pathlib import Path

import numpy as np
import torch
from dall_e import Encoder, map_pixels


def random_encoder(seed: int, *, filters: int = 64, blocks: int = 1, vocabulary: int = 512):
    """The package's own encoder, its logits centred so that many tokens occur."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = Encoder(n_hid=filters, n_blk_per_group=blocks, vocab_size=vocabulary).eval()
        for name, parameter in encoder.named_parameters():
            if name.endswith(".b"):
                parameter.data.normal_(std=0.05)
            else:
                parameter.data.mul_(2**0.5)
        with torch.no_grad():
            seen = map_pixels(torch.rand(2, 3, 64, 64))
            features = encoder.blocks[:-1](seen).relu().mean((0, 2, 3))
            output = encoder.blocks.output.conv
            output.b.sub_(output.w.flatten(1) @ features)
    return encoder


def package_tokens(encoder: Encoder, frames: np.ndarray) -> np.ndarray:
    """Tokens of uint8[B, H, W, 3] by the package, as its README says."""
    with torch.no_grad():
        pixels = map_pixels(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255)
        return torch.argmax(encoder(pixels), dim=1).numpy()


def draw_frames(seed: int, count: int, height: int, width: int) -> np.ndarray:
    """Gradients, edges, flat areas and noise, uint8[count, height, width, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    made = np.empty((count, height, width, 3))
    for frame in made:
        waves = np.sin(rng.uniform(2, 60, 3) * x[..., None] + rng.uniform(2, 60, 3) * y[..., None])
        frame[:] = 127 + 120 * waves
        frame[: height // 3, : width // 2] = rng.uniform(0, 255, 3)
        frame[height // 2 :, width // 2 :] += rng.normal(
            0, 40, frame[height // 2 :, width // 2 :].shape
        )
        frame[(x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.02] = rng.uniform(0, 255, 3)
    return made.clip(0, 255).astype(np.uint8)


def write(module: torch.nn.Module, path: Path, *, zipped: bool) -> Path:
    """Write a whole module in torch's zip or older stream format."""
    torch.save(module, path, _use_new_zipfile_serialization=zipped)
    return path
