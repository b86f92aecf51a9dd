"""S3D-G, trained on HowTo100M by MIL-NCE: 32 frames to the mean of `mixed_5c`.

S. Xie et al., "Rethinking Spatiotemporal Feature Learning", 2018, arXiv 1712.04851: Inception blocks
whose 3x3x3 convolutions are split into space and time, each branch gated by its own mean. A. Miech
et al., "End-to-End Learning of Visual Representations from Uncurated Instructional Videos", 2020,
arXiv 1912.06430, trained it on frames folded by two in time, height and width ("space to depth").
Parameter names are those of the published file.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.encoders.pickles import read_state_dict

Triple = tuple[int, int, int]

# Channels out of each branch: 1x1x1; 1x1x1 then 3x3x3; 1x1x1 then 3x3x3; pooling then 1x1x1.
BLOCKS: dict[str, tuple[int, int, int, int, int, int]] = {
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Kernel of the pooling before a block; its stride is 2 wherever its kernel is not 1.
POOLED: dict[str, Triple] = {"mixed_3b": (1, 3, 3), "mixed_4b": (3, 3, 3), "mixed_5b": (2, 2, 2)}
OTHER_TOWER = ("fc.", "text_module.")


class Conv(nn.Module):
    """A convolution, or with `separable` one over space and then one over time, each normalised."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Triple = (1, 1, 1),
        *,
        padding: Triple = (0, 0, 0),
        separable: bool = False,
    ) -> None:
        super().__init__()
        (t, h, w), (pad_t, pad_h, pad_w) = kernel, padding
        first, pad = ((1, h, w), (0, pad_h, pad_w)) if separable else (kernel, padding)
        self.conv1 = nn.Conv3d(inputs, outputs, first, padding=pad, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)
        self.separable = separable
        if separable:
            self.conv2 = nn.Conv3d(outputs, outputs, (t, 1, 1), padding=(pad_t, 0, 0), bias=False)
            self.bn2 = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, inputs, T, H, W] to float[B, outputs, T', H', W']."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True) if self.separable else x


class Gate(nn.Module):
    """Weighs each channel by a sigmoid of a linear map of all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, channels, T, H, W] to the same shape."""
        weights = torch.sigmoid(self.fc(x.mean((2, 3, 4))))
        return x * weights[:, :, None, None, None]


class Inception(nn.Module):
    """Four gated branches side by side."""

    def __init__(self, inputs: int, channels: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        b0, b1_a, b1_b, b2_a, b2_b, b3 = channels
        cube: Triple = (3, 3, 3)
        self.conv_b0 = Conv(inputs, b0)
        self.conv_b1_a = Conv(inputs, b1_a)
        self.conv_b1_b = Conv(b1_a, b1_b, cube, padding=(1, 1, 1), separable=True)
        self.conv_b2_a = Conv(inputs, b2_a)
        self.conv_b2_b = Conv(b2_a, b2_b, cube, padding=(1, 1, 1), separable=True)
        self.conv_b3_b = Conv(inputs, b3)
        self.gating_b0, self.gating_b1 = Gate(b0), Gate(b1_b)
        self.gating_b2, self.gating_b3 = Gate(b2_b), Gate(b3)
        self.outputs = b0 + b1_b + b2_b + b3

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, inputs, T, H, W] to float[B, outputs, T, H, W]."""
        branches = (
            self.gating_b0(self.conv_b0(x)),
            self.gating_b1(self.conv_b1_b(self.conv_b1_a(x))),
            self.gating_b2(self.conv_b2_b(self.conv_b2_a(x))),
            self.gating_b3(self.conv_b3_b(F.max_pool3d(x, 3, stride=1, padding=1))),
        )
        return torch.cat(branches, dim=1)


class S3D(nn.Module):
    """The network up to the pooling after `mixed_5c`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Conv(24, 64, (2, 4, 4), padding=(1, 2, 2))
        self.conv_2b = Conv(64, 64)
        self.conv_2c = Conv(64, 192, (3, 3, 3), padding=(1, 1, 1), separable=True)
        self.gating = Gate(192)
        inputs = 192
        for name, channels in BLOCKS.items():
            block = Inception(inputs, channels)
            self.add_module(name, block)
            inputs = block.outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, 3, T, H, W] in [0, 1] (even sides) to float[B, 1024]."""
        # A kernel of even size with TensorFlow's "same" padding: one more before than after.
        x = self.conv1(space_to_depth(x))[:, :, 1:, 1:, 1:]
        x = pool(x, (1, 3, 3))
        x = self.gating(self.conv_2c(self.conv_2b(x)))
        for name in BLOCKS:
            if name in POOLED:
                x = pool(x, POOLED[name])
            x = self.get_submodule(name)(x)
        return x.mean((2, 3, 4))


def space_to_depth(x: Tensor) -> Tensor:
    """Fold float[B, C, T, H, W] by two to float[B, 8 C, T/2, H/2, W/2]; colour varies fastest."""
    batch, channels, t, h, w = x.shape
    x = x.reshape(batch, channels, t // 2, 2, h // 2, 2, w // 2, 2)
    return x.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(batch, -1, t // 2, h // 2, w // 2)


def pool(x: Tensor, kernel: Triple) -> Tensor:
    """Take maxima over `kernel` with TensorFlow's "same" padding, each length halved, rounded up.

    Padding with zeros does no harm: what is pooled here has passed a ReLU.
    """
    stride = [1 if size == 1 else 2 for size in kernel]
    spare = [size - step for size, step in zip(kernel, stride, strict=True)]
    after = [side for size in reversed(spare) for side in (size // 2, size - size // 2)]
    return F.max_pool3d(F.pad(x, after), kernel, stride=stride, ceil_mode=True)


def network(name: str) -> nn.Module:  # noqa: ARG001
    """Return the published network, from float[B, 3, 32, 224, 224] to float[B, 1024]."""
    return S3D()


def read(path: Path, *, name: str) -> dict[str, Tensor]:  # noqa: ARG001
    """Read the published state dict, without the text tower and the projection to its space."""
    tensors = read_state_dict(path)
    return {key: value for key, value in tensors.items() if not key.startswith(OTHER_TOWER)}
