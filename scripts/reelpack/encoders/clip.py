"""The picture towers of CLIP: one picture to its place in the space shared with texts.

A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
arXiv 2103.00020: ViT-B/32 (512 numbers) and RN50x4 (640), not divided by their norm. The published
file is a TorchScript archive in half precision; its tensors are read, its code is not.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from reelpack.errors import UserError
from reelpack.torchscript import read_torchscript

from .torchvision_compat import import_timm

# The published models were trained with the sigmoid approximation of GELU: timm's "quickgelu".
TIMM_NAMES = {
    "clip_vitb32": ("vit_base_patch32_clip_quickgelu_224", 512),
    "clip_rn50x4": ("resnet50x4_clip", 640),
}


def network(name: str) -> nn.Module:
    """Return the network from float[B, 3, S, S] to float[B, 512] or float[B, 640]."""
    variant, width = TIMM_NAMES[name]
    model: nn.Module = import_timm().create_model(variant, pretrained=False, num_classes=width)
    return model


def read(path: Path, *, name: str) -> dict[str, Tensor]:
    """Read the picture tower of OpenAI's archive, by timm's names.

    Raises:
        UserError: an unreadable archive, or one without a picture tower of this kind.
    """
    tower = {
        key: tensor.float()
        for key, tensor in read_torchscript(path).items()
        if key.startswith("visual.") and key != "visual.input_resolution"
    }
    marker = {
        "clip_vitb32": "visual.class_embedding",
        "clip_rn50x4": "visual.attnpool.q_proj.weight",
    }
    if marker[name] not in tower:
        raise UserError(f"{path}: not the weights of {name}: tensor {marker[name]} is missing")
    import_timm()
    from timm.models import byobnet, vision_transformer

    with torch.device("meta"):
        model = network(name)
    family = vision_transformer if name == "clip_vitb32" else byobnet
    renamed: dict[str, Tensor] = family.checkpoint_filter_fn(tower, model)
    return renamed
