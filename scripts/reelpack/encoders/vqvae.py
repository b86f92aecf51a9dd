"""The VQ-VAE of Latent Video Transformer: frames to several codes per 4x4 pixels, and back.

R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704, after A. van den Oord et
al., "Neural Discrete Representation Learning", 2017, arXiv 1711.00937. Modules and parameters carry
the names of the paper's published checkpoints: netE is `encoder`, netG `generator`, netC `codebook`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from reelpack.config.encoder_cards import CARDS
from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.encoders.interface import check_frames
from reelpack.encoders.model_file import read_model, write_model

CARD = CARDS["vqvae"]
STRIDE = CARD.stride
KIND = "vqvae"


@dataclass(frozen=True)
class Architecture:
    """Sizes of a VQ-VAE; the defaults are the published model for Kinetics (BAIR: 2 layers).

    Attributes:
        filters: channels before the codebook, divided among the sub-codebooks.
        residual_channels: channels inside a residual block.
        layers: residual blocks on each side.
        codebooks: sub-codebooks, that is codes per position.
        codes: entries of each sub-codebook.
    """

    filters: int = 256
    residual_channels: int = 128
    layers: int = 4
    codebooks: int = 4
    codes: int = 512

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "layers" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(
                    f"architecture.{field.name}: {value!r}; allowed: an integer of at least {least}"
                )
        if self.filters % 2 or self.filters % self.codebooks:
            raise UserError(
                f"architecture.filters: {self.filters}; allowed: multiples of 2 and of codebooks"
                f" ({self.codebooks})"
            )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Architecture:
        """Read a model card's `architecture:` mapping; missing sizes take the defaults."""
        allowed = [field.name for field in fields(cls)]
        if unknown := sorted(set(mapping) - set(allowed)):
            raise UserError(
                f"architecture.{unknown[0]}: unknown key; allowed: {', '.join(allowed)}"
            )
        return cls(**mapping)


class ResidualBlock(nn.Module):
    """relu(x) + f(relu(x)): the published block's first ReLU is in place and overwrites x."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, channels, H, W] to the same shape."""
        activated: Tensor = self.block[0](x)
        residual: Tensor = self.block[1:](activated)
        return activated + residual


class Layers(nn.Module):
    """A chain of layers under the name `layers`, which the published checkpoints have too."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in order."""
        y: Tensor = self.layers(x)
        return y


def frame_encoder(sizes: Architecture) -> Layers:
    """Return the network from float[B, 3, H, W] in [-1, 1] to float[B, filters, H/4, W/4]."""
    filters = sizes.filters
    return Layers(
        nn.Conv2d(3, filters // 2, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(filters // 2, filters, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(filters, filters, 3, padding=1),
        *(ResidualBlock(filters, sizes.residual_channels) for _ in range(sizes.layers)),
    )


def frame_decoder(sizes: Architecture) -> Layers:
    """Return the network from float[B, filters, h, w] to float[B, 3, 4h, 4w] in [-1, 1]."""
    filters = sizes.filters
    return Layers(
        nn.Conv2d(filters, filters, 3, padding=1),
        *(ResidualBlock(filters, sizes.residual_channels) for _ in range(sizes.layers)),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(filters, filters // 2, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(filters // 2, 3, 4, stride=2, padding=1),
        nn.Tanh(),
    )


class SubCodebook(nn.Module):
    """Codes for one part of the channels, with the running means by which they learn.

    Attributes:
        running_size: float[codes], decaying count of the vectors that chose each code.
        running_sum: float[codes, dimension], decaying sum of those vectors.
    """

    running_size: Tensor
    running_sum: Tensor

    def __init__(self, codes: int, dimension: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, dimension)
        weight = self.embedding.weight.requires_grad_(False)
        nn.init.uniform_(weight, -1 / codes, 1 / codes)
        self.register_buffer("running_size", torch.zeros(codes))
        self.register_buffer("running_sum", weight.detach().clone())

    def nearest(self, vectors: Tensor) -> Tensor:
        """Return int64[N], the code next to each of float[N, dimension]."""
        codes = self.embedding.weight
        squares = codes.square().sum(1) + vectors.square().sum(1, keepdim=True)
        return torch.addmm(squares, vectors, codes.t(), alpha=-2.0).argmin(1)


class Codebook(nn.Module):
    """Sub-codebooks side by side, each for an equal part of the channels ("DVQ")."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        dimension = sizes.filters // sizes.codebooks
        self.ve = nn.ModuleList(SubCodebook(sizes.codes, dimension) for _ in range(sizes.codebooks))

    def parts(self) -> list[SubCodebook]:
        """Return the sub-codebooks in channel order."""
        return [part for part in self.ve if isinstance(part, SubCodebook)]

    def split(self, features: Tensor) -> list[Tensor]:
        """Cut float[B, filters, h, w] into one float[B h w, dimension] per sub-codebook."""
        pieces = features.permute(0, 2, 3, 1).chunk(len(self.ve), dim=3)
        return [piece.reshape(-1, piece.shape[3]) for piece in pieces]

    def join(self, vectors: list[Tensor], shape: torch.Size) -> Tensor:
        """Undo `split` for features of `shape` [B, filters, h, w]."""
        batch, _, height, width = shape
        return torch.cat(vectors, dim=1).view(batch, height, width, -1).permute(0, 3, 1, 2)

    def tokens(self, features: Tensor) -> Tensor:
        """Map float[B, filters, h, w] to int64[B, codebooks, h, w]."""
        batch, _, height, width = features.shape
        chosen = [
            part.nearest(vectors).view(batch, height, width)
            for part, vectors in zip(self.parts(), self.split(features), strict=True)
        ]
        return torch.stack(chosen, dim=1)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Map int64[B, codebooks, h, w] to the codes' values, float[B, filters, h, w]."""
        found = [part.embedding(tokens[:, i]) for i, part in enumerate(self.parts())]
        return torch.cat(found, dim=3).permute(0, 3, 1, 2)


class VQVAE(nn.Module):
    """Encoder, codebook and generator.

    Args:
        architecture: the sizes.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder = frame_encoder(architecture)
        self.generator = frame_decoder(architecture)
        self.codebook = Codebook(architecture)

    def encode(self, frames: Tensor) -> Tensor:
        """Map uint8[B, H, W, 3] to int64[B, codebooks, H/4, W/4]."""
        return self.codebook.tokens(self.encoder(to_signed(frames)))

    def decode(self, tokens: Tensor) -> Tensor:
        """Map int64[B, codebooks, h, w] to uint8[B, 4h, 4w, 3]."""
        return to_pixels(self.generator(self.codebook.vectors(tokens)))


def channels_last(model: VQVAE) -> VQVAE:
    """Lay the convolutions out in memory the way the CPU's and GPU's kernels want them."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def to_signed(frames: Tensor) -> Tensor:
    """Map uint8[B, H, W, 3] to float32[B, 3, H, W] in [-1, 1]."""
    return frames.permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.5)


def to_pixels(frames: Tensor) -> Tensor:
    """Map float[B, 3, H, W] in [-1, 1] to uint8[B, H, W, 3], rounded down like the paper's code."""
    pixels = (frames * 0.5 + 0.5).mul_(255).clamp_(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous()


def save_model(model: VQVAE, path: Path) -> None:
    """Write a model as safetensors, whole or not at all; equal models give equal bytes."""
    write_model(path, model, kind=KIND, architecture=model.architecture)


def load_model(path: Path) -> VQVAE:
    """Read a model that `save_model` wrote.

    Raises:
        UserError: the file is missing or does not hold such a model.
    """
    return read_model(
        path, lambda sizes: VQVAE(Architecture.from_mapping(sizes)), kind=KIND, what="VQ-VAE model"
    )


class VQVAEEncoder:
    """Codes of a trained VQ-VAE.

    Args:
        weights: `model.safetensors` of the training.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    name = "vqvae"
    result_version = CARD.result_version
    window, side, width = 1, None, None
    dtype = np.dtype(np.int64)

    def __init__(self, weights: Path, *, device: str) -> None:
        self.device = torch.device(device)
        self.model = channels_last(load_model(weights).to(self.device))
        self.batch_size = CARD.cpu_batch if self.device.type == "cpu" else CARD.gpu_batch

    def encode(self, frames: Frame) -> npt.NDArray[np.int64]:
        """Encode uint8[B, H, W, 3], H and W multiples of 4, to int64[B, codebooks, H/4, W/4]."""
        check_frames(frames, encoder="the VQ-VAE", stride=STRIDE)
        with torch.inference_mode():
            tokens = self.model.encode(torch.from_numpy(frames).to(self.device))
            return np.asarray(tokens.cpu().numpy(), dtype=np.int64)

    def decode(self, tokens: npt.NDArray[np.int64]) -> Frame:
        """Reconstruct uint8[B, 4h, 4w, 3] from int64[B, codebooks, h, w]."""
        with torch.inference_mode():
            frames = self.model.decode(torch.from_numpy(tokens).to(self.device))
            return np.asarray(frames.cpu().numpy(), dtype=np.uint8)
