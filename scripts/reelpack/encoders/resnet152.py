"""ResNet-152, trained on ImageNet: a frame of any size to the mean of its last feature map.

K. He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv 1512.03385, with
torchvision's weights IMAGENET1K_V1, which HERO's published features were made with. timm's model has
torchvision's parameter names.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from reelpack.encoders.pickles import read_state_dict
from reelpack.encoders.torchvision_compat import import_timm

timm = import_timm()


def network(name: str) -> nn.Module:  # noqa: ARG001
    """Return the network from float[B, 3, H, W] to float[B, 2048]."""
    model: nn.Module = timm.create_model("resnet152", pretrained=False, num_classes=0)
    return model


def read(path: Path, *, name: str) -> dict[str, Tensor]:  # noqa: ARG001
    """Read torchvision's `resnet152-*.pth`, without the classifier."""
    tensors = read_state_dict(path)
    return {key: value for key, value in tensors.items() if not key.startswith("fc.")}
