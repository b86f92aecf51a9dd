"""The transformers' checkpoints of github rakhimovv/lvt, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from reelpack.config.transformer_sizes import Sizes
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.lvt.published.pth_files import read_checkpoint
from reelpack.lvt.transformer.layers import measure_distances
from reelpack.lvt.transformer.model import VideoTransformer

# What the published checkpoints hold beside parameters: tables that follow from the sizes.
_DERIVED = re.compile(
    r"(.*\.)?(positional_encoder\.inv_timescales|block_local_attention\.\d+\.(dt|dh|dw|mask))"
)


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
        model.load_state_dict(rename_from_published(read_checkpoint(path)))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: not a video transformer of these sizes: {reason}") from error
    return model.eval()


def save_published(model: VideoTransformer, path: Path) -> None:
    """Write a model in the form that the published code loads."""
    with replace_file(path) as temporary:
        torch.save({"model": rename_to_published(model)}, temporary)


def rename_from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a state dict of the published code to one of `VideoTransformer`.

    Parameters have the same names; tables that follow from the sizes are left out.
    """
    return {name: tensor for name, tensor in state.items() if not _DERIVED.fullmatch(name)}


def rename_to_published(model: VideoTransformer) -> dict[str, Tensor]:
    """Return the state dict that the published code loads; `rename_from_published` undoes it."""
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    sizes = model.sizes
    for part, width in (("encoder", sizes.embedding), ("decoder", sizes.width)):
        waves = width // 6
        state[f"{part}.positional_encoder.inv_timescales"] = torch.exp(
            torch.arange(waves).float() * -(torch.log(torch.tensor(1e4)) / waves)
        )
        for number in range(len(getattr(sizes, f"{part}_heads"))):
            layer = f"{part}.block_local_attention.{number}"
            for axis, table in zip(("dt", "dh", "dw"), measure_distances(sizes.block), strict=True):
                state[f"{layer}.{axis}"] = table.flatten()
            if part == "decoder":
                state[f"{layer}.mask"] = torch.ones(table.shape).triu(1)[None, None]
    return state
