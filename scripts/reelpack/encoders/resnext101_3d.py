"""3D ResNeXt-101, trained on Kinetics: 16 frames of 112x112 to the mean of the last feature map.

K. Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?", 2018,
arXiv 1711.09577, table 1 and figure 2: blocks with 32 groups, projections on the shortcuts where
the shape changes ("type B"). Parameter names are those of the published file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.encoders.pickles import read_state_dict

EXPANSION = 2
BLOCKS = (3, 4, 23, 3)


class ResNeXtBlock(nn.Module):
    """1x1x1, grouped 3x3x3 and 1x1x1 convolutions beside a shortcut.

    Args:
        inputs: channels that come in.
        channels: channels inside; twice as many go out.
        groups: of the 3x3x3 convolution.
        stride: of the 3x3x3 convolution, in time and space.
    """

    def __init__(self, inputs: int, channels: int, *, groups: int, stride: int) -> None:
        super().__init__()
        outputs = channels * EXPANSION
        self.conv1 = nn.Conv3d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(
            channels, channels, 3, stride=stride, padding=1, groups=groups, bias=False
        )
        self.bn2 = nn.BatchNorm3d(channels)
        self.conv3 = nn.Conv3d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm3d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, inputs, T, H, W] to float[B, 2 channels, T/stride, H/stride, W/stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.bn3(self.conv3(y)).add_(shortcut), inplace=True)


class ResNeXt3D(nn.Module):
    """The network up to the pooling.

    Args:
        blocks: per stage.
        width: channels of the first convolution; the published network has 64.
        groups: of the blocks' middle convolutions; the published network has 32.
    """

    def __init__(
        self, *, blocks: Sequence[int] = BLOCKS, width: int = 64, groups: int = 32
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, 7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        inputs = width
        for number, count in enumerate(blocks):
            channels = width * 2 << number
            made = []
            for position in range(count):
                stride = 2 if number and not position else 1
                made.append(ResNeXtBlock(inputs, channels, groups=groups, stride=stride))
                inputs = channels * EXPANSION
            self.add_module(f"layer{number + 1}", nn.Sequential(*made))

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, 3, T, H, W] to float[B, 32 width]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool3d(x, 3, stride=2, padding=1)
        for name, stage in self.named_children():
            if name.startswith("layer"):
                x = stage(x)
        return x.mean((2, 3, 4))


def network(name: str) -> nn.Module:  # noqa: ARG001
    """Return the published network, from float[B, 3, 16, 112, 112] to float[B, 2048]."""
    return ResNeXt3D()


def read(path: Path, *, name: str) -> dict[str, Tensor]:  # noqa: ARG001
    """Read the published state dict, without the classifier."""
    tensors = read_state_dict(path)
    return {key: value for key, value in tensors.items() if not key.startswith("fc.")}
