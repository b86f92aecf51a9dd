"""Files of a video transformer: our safetensors, and the checkpoints of github rakhimovv/lvt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from reelpack.config.transformer_sizes import Sizes
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.core.results import canonical
from reelpack.lvt.published.vqvae_checkpoints import read_checkpoint
from reelpack.lvt.transformer.layers import distances
from reelpack.lvt.transformer.model import VideoTransformer

METADATA_KEY = "reelpack"
# What the published checkpoints hold beside parameters: tables that follow from the sizes.
_DERIVED = re.compile(
    r"(.*\.)?(positional_encoder\.inv_timescales|block_local_attention\.\d+\.(dt|dh|dw|mask))"
)


def initial_model(sizes: Sizes, *, seed: int) -> VideoTransformer:
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
    """Write a model as safetensors; equal models give equal bytes."""
    from safetensors.torch import save_file

    text = canonical({"architecture": asdict(model.sizes), "model": "video_transformer"})
    tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    save_file(tensors, path, metadata={METADATA_KEY: text})


def load_model(path: Path) -> VideoTransformer:
    """Read a model that `save_model` wrote.

    Raises:
        UserError: the file is missing or holds no such model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if card["model"] != "video_transformer":
            raise ValueError(f"a model of kind {card['model']}")
        model = VideoTransformer(Sizes.from_mapping(card["architecture"]))
        model.load_state_dict(tensors)
    except (SafetensorError, FileNotFoundError, KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: holds no video transformer of this project: {reason}") from error
    return model.eval()


def load_published(path: Path, sizes: Sizes) -> VideoTransformer:
    """Read a checkpoint file of the published code (`netG/model_final.pth`).

    Args:
        path: the file.
        sizes: the configuration that it was trained with, one of `PRESETS` for the published ones.

    Raises:
        UserError: no such file, or it holds a model of other sizes.
    """
    model = VideoTransformer(sizes)
    try:
        model.load_state_dict(from_published(read_checkpoint(path)))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: no video transformer of these sizes: {reason}") from error
    return model.eval()


def save_published(model: VideoTransformer, path: Path) -> None:
    """Write a model in the form that the published code loads."""
    with replace_file(path) as temporary:
        torch.save({"model": to_published(model)}, temporary)


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a state dict of the published code to one of `VideoTransformer`.

    Parameters have the same names; tables that follow from the sizes are left out.
    """
    return {name: tensor for name, tensor in state.items() if not _DERIVED.fullmatch(name)}


def to_published(model: VideoTransformer) -> dict[str, Tensor]:
    """Return the state dict that the published code loads; `from_published` undoes it."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    sizes = model.sizes
    for part, width in (("encoder", sizes.embedding), ("decoder", sizes.width)):
        waves = width // 6
        state[f"{part}.positional_encoder.inv_timescales"] = torch.exp(
            torch.arange(waves).float() * -(torch.log(torch.tensor(1e4)) / waves)
        )
        for number in range(len(getattr(sizes, f"{part}_heads"))):
            layer = f"{part}.block_local_attention.{number}"
            for axis, table in zip(("dt", "dh", "dw"), distances(sizes.block), strict=True):
                state[f"{layer}.{axis}"] = table.flatten()
            if part == "decoder":
                state[f"{layer}.mask"] = torch.ones(table.shape).triu(1)[None, None]
    return state
