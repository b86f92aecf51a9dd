"""SlowFast 8x8 R50, trained on Kinetics-400: 32 frames to both pathways' mean feature maps.

C. Feichtenhofer et al., "SlowFast Networks for Video Recognition", 2019, arXiv 1812.03982, table 1:
the fast pathway sees 32 frames with an eighth of the channels (beta), the slow one every fourth of
them (alpha), and after each stage but the last the fast pathway's features join the slow one's.
The published file is a pickle of Caffe2 blobs.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.core.errors import UserError
from reelpack.encoders.numpy_pickles import read_pickle

ALPHA, BETA, FUSED = 4, 8, 2
FUSION_FRAMES = 7
BLOCKS = (3, 4, 6, 3)
# Frames that a block's first convolution sees, per stage.
SLOW_FRAMES, FAST_FRAMES = (1, 1, 3, 3), (3, 3, 3, 3)

_LAYER = re.compile(
    r"(?P<fast>t_)?(?:"
    r"(?:res_)?(?P<stem>conv1)"
    r"|(?P<pool>pool1)_subsample"
    r"|res(?P<stage>[2-5])_(?P<block>\d+)_branch(?P<branch>1|2a|2b|2c)(?P<fuse>_bn_subsample)?"
    r")(?P<norm>_bn)?_(?P<what>w|s|b|rm|riv)"
)
_PARTS = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}


class Unit(nn.Module):
    """A convolution and its batch norm."""

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, inputs, T, H, W] to float[B, outputs, T', H', W']."""
        y: Tensor = self.bn(self.conv(x))
        return y


class SlowFastBlock(nn.Module):
    """Convolutions Tx1x1 (a), 1x3x3 (b) and 1x1x1 (c) beside a shortcut.

    Args:
        inputs: channels that come in.
        channels: channels inside; four times as many go out.
        frames: T.
        stride: of the 1x3x3 convolution, in space.
    """

    def __init__(self, inputs: int, channels: int, *, frames: int, stride: int) -> None:
        super().__init__()
        self.branch1: Unit | None = None
        if inputs != 4 * channels or stride != 1:
            self.branch1 = Unit(inputs, 4 * channels, (1, 1, 1), (1, stride, stride))
        self.branch2a = Unit(inputs, channels, (frames, 1, 1), (1, 1, 1))
        self.branch2b = Unit(channels, channels, (1, 3, 3), (1, stride, stride))
        self.branch2c = Unit(channels, 4 * channels, (1, 1, 1), (1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, inputs, T, H, W] to float[B, 4 channels, T, H/stride, W/stride]."""
        shortcut = x if self.branch1 is None else self.branch1(x)
        y = F.relu(self.branch2a(x), inplace=True)
        y = F.relu(self.branch2b(y), inplace=True)
        return F.relu(self.branch2c(y).add_(shortcut), inplace=True)


class Pathway(nn.Module):
    """One pathway, stage by stage: stage 0 is the first convolution, 1 to 4 are blocks.

    Args:
        width: channels of the first convolution.
        extra: of how many times as many channels as come out of a stage come into the next besides.
        first_frames: frames that the first convolution sees.
        frames: that the blocks' first convolutions see, per stage.
    """

    def __init__(
        self, width: int, *, extra: float, first_frames: int, frames: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.conv1 = Unit(3, width, (first_frames, 7, 7), (1, 2, 2))
        inputs = width
        for number, (count, seen) in enumerate(zip(BLOCKS, frames, strict=True)):
            channels = width << number
            made = []
            for position in range(count):
                joined = int(inputs * extra) if position == 0 else 0
                stride = 2 if number and not position else 1
                made.append(SlowFastBlock(inputs + joined, channels, frames=seen, stride=stride))
                inputs = 4 * channels
            self.add_module(f"res{number + 2}", nn.Sequential(*made))

    def stage(self, number: int, x: Tensor) -> Tensor:
        """Apply stage 0 to 4 to float[B, C, T, H, W]."""
        if number:
            y: Tensor = self.get_submodule(f"res{number + 1}")(x)
            return y
        x = F.relu(self.conv1(x), inplace=True)
        return F.max_pool3d(x, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))


class SlowFast(nn.Module):
    """Both pathways and what joins them, up to the pooling.

    Args:
        width: channels of the slow pathway's first convolution; the published network has 64.
    """

    def __init__(self, *, width: int = 64) -> None:
        super().__init__()
        self.slow = Pathway(width, extra=FUSED / BETA, first_frames=1, frames=SLOW_FRAMES)
        self.fast = Pathway(width // BETA, extra=0, first_frames=5, frames=FAST_FRAMES)
        outputs = [width // BETA, *(4 * width // BETA << number for number in range(3))]
        self.fuse = nn.ModuleList(
            Unit(channels, FUSED * channels, (FUSION_FRAMES, 1, 1), (ALPHA, 1, 1))
            for channels in outputs
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map float[B, 3, 32, H, W] to float[B, 36 width]: the slow pathway's 32 width first."""
        slow, fast = slow_frames(x), x
        for number in range(5):
            slow, fast = self.slow.stage(number, slow), self.fast.stage(number, fast)
            if number < len(self.fuse):
                slow = torch.cat((slow, F.relu(self.fuse[number](fast), inplace=True)), dim=1)
        return torch.cat((slow.mean((2, 3, 4)), fast.mean((2, 3, 4))), dim=1)


def slow_frames(x: Tensor) -> Tensor:
    """Take every fourth of float[B, 3, T, H, W]'s frames, evenly from the first to the last one.

    The published code spreads T / 4 numbers over 0 ... T - 1 and rounds down: 0, 4, 8, 13, 17, 22,
    26, 31 of 32.
    """
    count = x.shape[2] // ALPHA
    chosen = [number * (x.shape[2] - 1) // (count - 1) for number in range(count)]
    return x[:, :, chosen]


def network(name: str) -> nn.Module:  # noqa: ARG001
    """Return the published network, from float[B, 3, 32, 224, 224] to float[B, 2304]."""
    return SlowFast()


def read(path: Path, *, name: str) -> dict[str, Tensor]:  # noqa: ARG001
    """Read the Caffe2 pickle, without the classifier and what training kept.

    Raises:
        UserError: no such pickle, or a blob that belongs to no layer of this network.
    """
    found = read_pickle(path)
    blobs = found.get("blobs") if isinstance(found, dict) else None
    if not isinstance(blobs, dict):
        raise UserError(f"{path}: holds no Caffe2 blobs (a dict with the key `blobs`)")
    tensors = {}
    for blob, value in blobs.items():
        if blob.startswith("pred_") or re.search(r"momentum|(^|_)lr|model_iter", blob):
            continue
        key = name_parameter(blob, where=path)
        if key in tensors:
            raise UserError(f"{path}: blob {blob!r} is there under another name too")
        tensors[key] = torch.as_tensor(value)
    return tensors


def name_parameter(blob: str, *, where: Path) -> str:
    """Return this network's name for a Caffe2 blob: `t_res3_0_branch2a_bn_s` is fast.res3.0...

    A pathway's layers carry `t_` where it is the fast one; the layers that join the pathways are
    named after the fast layer that they follow, and `subsample`.

    Raises:
        UserError: the blob belongs to no layer of this network.
    """
    match = _LAYER.fullmatch(blob)
    if match is None or (match["what"] == "w") == bool(match["norm"]):
        raise UserError(f"{where}: blob {blob!r} belongs to no layer of SlowFast R50")
    part = "conv.weight" if match["what"] == "w" else f"bn.{_PARTS[match['what']]}"
    pathway = "fast" if match["fast"] else "slow"
    if match["stem"]:
        return f"{pathway}.conv1.{part}"
    if match["pool"] or match["fuse"]:
        return f"fuse.{int(match['stage'] or 1) - 1}.{part}"
    return f"{pathway}.res{match['stage']}.{match['block']}.branch{match['branch']}.{part}"
