"""The image towers of CLIP: one frame to its place in the space shared with texts.

A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
arXiv 2103.00020: ViT-B/32 (512 numbers) and RN50x4 (640), not divided by their norm. The published
file is a TorchScript archive in half precision; its tensors are read, its code is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reelpack.core.errors import UserError
from reelpack.encoders.torchscript import read_torchscript
from reelpack.encoders.torchvision_compat import import_timm

timm = import_timm()

# The published transformer was trained with a sigmoid approximation of GELU: timm's "quickgelu".
TIMM_MODELS: dict[str, dict[str, Any]] = {
    "clip_vitb32": {"model_name": "vit_base_patch32_clip_quickgelu_224", "num_classes": 512},
    "clip_rn50x4": {"model_name": "resnet50x4_clip", "num_classes": 640},
}
# Only a tower of this kind and size has position embeddings of this name and shape.
POSITIONS = {
    "clip_vitb32": ("visual.positional_embedding", "pos_embed"),
    "clip_rn50x4": ("visual.attnpool.positional_embedding", "head.pos_embed"),
}


def network(name: str) -> nn.Module:
    """Return the network from float[B, 3, S, S] to float[B, 512] or float[B, 640]."""
    model: nn.Module = timm.create_model(**TIMM_MODELS[name], pretrained=False)
    return model


def read(path: Path, *, name: str) -> dict[str, Tensor]:
    """Read the image tower of OpenAI's archive, by timm's names.

    Raises:
        UserError: an unreadable archive, or one without an image tower of this kind.
    """
    tower = {
        key: tensor.float()
        for key, tensor in read_torchscript(path).items()
        if key.startswith("visual.") and key != "visual.input_resolution"
    }
    with torch.device("meta"):
        model = network(name)
    key, ours = POSITIONS[name]
    expected = tuple(model.state_dict()[ours].shape)[-2:]
    found = tuple(tower[key].shape) if key in tower else "missing"
    if found != expected:
        raise UserError(
            f"{path}: not the weights of {name}: tensor {key} is {found}, expected {expected}"
        )
    family = timm.models.vision_transformer if name == "clip_vitb32" else timm.models.byobnet
    renamed: dict[str, Tensor] = family.checkpoint_filter_fn(tower, model)
    return renamed
