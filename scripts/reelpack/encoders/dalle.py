"""The encoder of the DALL-E discrete VAE: frames to one token of 8192 per 8x8 pixels.

A. Ramesh et al., "Zero-Shot Text-to-Image Generation", 2021, arXiv 2102.12092, appendix A: a 7x7
convolution, four groups of residual blocks with max-pooling between them, and a 1x1 convolution to
the logits of the vocabulary. Parameter names are those of the published file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from reelpack.config.encoder_cards import CARDS
from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.encoders.interface import check_frames

CARD = CARDS["dalle"]
STRIDE = CARD.stride
GROUPS = 4
LOGIT_ROWS = 256

PICKLED_CLASSES = frozenset(
    {"dall_e.encoder.Encoder", "dall_e.encoder.EncoderBlock", "dall_e.utils.Conv2d"}
)


@dataclass(frozen=True)
class DalleSizes:
    """Sizes of an encoder; the published one is 256 filters, 2 blocks, 8192 tokens."""

    filters: int
    blocks: int
    vocabulary: int


def read_sizes(tensors: Mapping[str, Tensor], *, where: Path) -> DalleSizes:
    """Return the sizes of the encoder that holds these tensors.

    Raises:
        UserError: names the first tensor that is missing, superfluous or of another shape.
    """
    try:
        sizes = DalleSizes(
            filters=tensors["blocks.input.w"].shape[0],
            blocks=sum(
                bool(re.fullmatch(r"blocks\.group_1\.block_\d+\.res_path\.conv_1\.w", name))
                for name in tensors
            ),
            vocabulary=tensors["blocks.output.conv.w"].shape[0],
        )
    except KeyError as error:
        raise UserError(f"{where}: not a dVAE encoder: tensor {error} is missing") from None
    expected = _shapes(sizes)
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != expected.get(name):
            raise UserError(
                f"{where}: not a dVAE encoder of {sizes}: tensor {name} is {found}, expected"
                f" {expected.get(name)}"
            )
    return sizes


def _shapes(sizes: DalleSizes) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, inputs: int, outputs: int, width: int) -> None:
        shapes[f"{name}.w"] = (outputs, inputs, width, width)
        shapes[f"{name}.b"] = (outputs,)

    conv("blocks.input", 3, sizes.filters, 7)
    inputs = sizes.filters
    for group in range(GROUPS):
        outputs = sizes.filters << group
        for number in range(sizes.blocks):
            block = f"blocks.group_{group + 1}.block_{number + 1}"
            if inputs != outputs:
                conv(f"{block}.id_path", inputs, outputs, 1)
            for position, width in enumerate((3, 3, 3, 1), 1):
                conv(
                    f"{block}.res_path.conv_{position}",
                    inputs if position == 1 else outputs // 4,
                    outputs if position == 4 else outputs // 4,
                    width,
                )
            inputs = outputs
    conv("blocks.output.conv", inputs, sizes.vocabulary, 1)
    return shapes


class DalleEncoder:
    """Tokens of the dVAE encoder: the argmax over the vocabulary at an eighth of the resolution.

    Computes in float32, on the CPU one frame at a time.

    Args:
        weights: safetensors file of kind `dalle_encoder`.
        device: `cpu`, `cuda` or `cuda:N`.
    """

    name = "dalle"
    result_version = CARD.result_version
    window, side, width = 1, None, None
    dtype = np.dtype(np.int16)

    def __init__(self, weights: Path, *, device: str) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(weights)
        except (SafetensorError, FileNotFoundError) as error:
            raise UserError(f"{weights}: cannot be read as safetensors: {error}") from error
        self.sizes = read_sizes(tensors, where=weights)
        self.device = torch.device(device)
        self.batch_size = CARD.cpu_batch if self.device.type == "cpu" else CARD.gpu_batch
        self._tensors = {
            name: tensor.to(
                self.device,
                memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format,
            )
            for name, tensor in tensors.items()
        }
        # The gain of the residual paths is a power of two for the published sizes: folding it into
        # the last convolution changes no bit.
        self._gain = 1 / (GROUPS * self.sizes.blocks) ** 2

    def encode(self, frames: Frame) -> npt.NDArray[np.int16]:
        """Encode uint8[B, H, W, 3], H and W multiples of 8, to int16[B, H/8, W/8]."""
        check_frames(frames, encoder="the dVAE encoder", stride=STRIDE)
        with torch.inference_mode():
            pixels = torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2)
            features = self.features(pixels.float().div_(255).mul_(0.8).add_(0.1))
            return self._tokens(features).to(torch.int16).cpu().numpy()

    def features(self, x: Tensor) -> Tensor:
        """Return what the output convolution sees: float32[B, 8 filters, H/8, W/8]."""
        x = self._conv("blocks.input", x)
        for group in range(1, GROUPS + 1):
            for number in range(1, self.sizes.blocks + 1):
                x = self._block(f"blocks.group_{group}.block_{number}", x)
            if group < GROUPS:
                x = F.max_pool2d(x, 2)
        return x.relu_()

    def _block(self, name: str, x: Tensor) -> Tensor:
        h = x.relu()
        for position in range(1, 4):
            h = self._conv(f"{name}.res_path.conv_{position}", h).relu_()
        h = self._conv(f"{name}.res_path.conv_4", h)
        if f"{name}.id_path.w" in self._tensors:
            x = self._conv(f"{name}.id_path", x)
        return x.add_(h, alpha=self._gain)

    def _conv(self, name: str, x: Tensor) -> Tensor:
        weight = self._tensors[f"{name}.w"]
        return F.conv2d(x, weight, self._tensors[f"{name}.b"], padding=weight.shape[-1] // 2)

    def _tokens(self, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
        weight = self._tensors["blocks.output.conv.w"].flatten(1)
        bias = self._tensors["blocks.output.conv.b"]
        parts = torch.split(rows, LOGIT_ROWS)
        tokens = [F.linear(part, weight, bias).argmax(1) for part in parts]
        return torch.cat(tokens).view(batch, height, width)
