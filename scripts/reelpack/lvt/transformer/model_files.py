"""A video transformer before training, and as a file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from reelpack.config.transformer_sizes import Sizes
from reelpack.encoders.model_file import read_model, write_model
from reelpack.lvt.transformer.model import VideoTransformer

KIND = "video_transformer"


def make_initial_model(sizes: Sizes, *, seed: int) -> VideoTransformer:
    """Return a model before training: Xavier-uniform dense and convolution layers without bias."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VideoTransformer(sizes)
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv3d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return model


def save_model(model: VideoTransformer, path: Path) -> None:
    """Write a model as safetensors, whole or not at all; equal models give equal bytes."""
    write_model(path, model, kind=KIND, architecture=model.sizes)


def load_model(path: Path) -> VideoTransformer:
    """Read a model that `save_model` wrote.

    Raises:
        UserError: the file is missing or does not hold such a model.
    """
    return read_model(
        path,
        lambda sizes: VideoTransformer(Sizes.from_mapping(sizes)),
        kind=KIND,
        what="video transformer",
    )
