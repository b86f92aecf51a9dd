"""Encoders of features: frames, or windows of them, to one vector each.

Flows in: uint8 pixels as decoded and cropped. Flows out: float32 rows. Everything between (division,
mean and std, the network, the L2 norm where the card asks for it) happens here, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.config.encoder_cards import EncoderCard, encoder_card
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError

Precision = Literal["fp32", "fp16", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_REDUCED = {"fp16": torch.float16, "bf16": torch.bfloat16}


class FeatureEncoder:
    """A network with its card's preprocessing before it.

    A window that a video's end does not fill is filled up with frames of zeros: what is padded is
    black pixels, before the mean is taken off.

    Args:
        name: the card's name.
        network: maps float[B, 3, H, W], or float[B, 3, T, H, W] where the card has a window, to
            float[B, width].
        device: `cpu`, `cuda` or `cuda:N`.
        precision: `fp32`, or on a GPU `fp16` or `bf16` by autocast: the weights stay float32.

    Attributes:
        batch_size: rows per call; the one thing a caller may change, when a device's memory is
            smaller than the card expects.
        dtype: of the rows, always float32.

    Raises:
        UserError: a precision that the device does not offer.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, name: str, network: nn.Module, *, device: str, precision: Precision = "fp32"
    ) -> None:
        card = encoder_card(name)
        if card.width is None:
            raise ValueError(f"{name} is an encoder of tokens")
        self.name, self.card = name, card
        self.result_version, self.width = card.result_version, card.width
        self.window, self.side = card.window, card.side
        self.device = torch.device(device)
        _check_precision(precision, self.device)
        self.precision = precision
        self.batch_size = card.cpu_batch if self.device.type == "cpu" else card.gpu_batch
        layout = torch.channels_last_3d if card.window > 1 else torch.channels_last
        self.network = network.eval().requires_grad_(False)
        self.network.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self._mean = torch.tensor(card.mean, device=self.device)
        self._std = torch.tensor(card.std, device=self.device) + card.std_epsilon

    def encode(self, frames: Frame) -> npt.NDArray[np.float32]:
        """Encode uint8[B, H, W, 3], or uint8[B, window, H, W, 3], to float32[B, width].

        Raises:
            ClipError: `encode`, when frames have another size than the model takes, or the rows
                hold a number that is not finite.
        """
        check_rows(frames, name=self.name, card=self.card)
        with torch.inference_mode(), self._autocast():
            rows: Tensor = self.network(self.normalised(torch.from_numpy(frames).to(self.device)))
            rows = rows.float()
            if self.card.unit_length:
                rows = F.normalize(rows, dim=1)
            found = np.asarray(rows.cpu().numpy(), dtype=np.float32)
        if not np.isfinite(found).all():
            raise ClipError("encode", f"{self.name} gave numbers that are not finite")
        return found

    def normalised(self, frames: Tensor) -> Tensor:
        """Map uint8[B, (T,) H, W, 3] to float32[B, 3, (T,) H, W], channels last in memory."""
        pixels = frames.float().div_(self.card.divisor).sub_(self._mean).div_(self._std)
        return pixels.movedim(-1, 1)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_REDUCED[self.precision])


def check_rows(frames: Frame, *, name: str, card: EncoderCard) -> None:
    """Raise ClipError unless `frames` is what the card's encoder takes."""
    window = (card.window,) if card.window > 1 else ()
    side = card.side
    dims = ["B", *map(str, window), str(side or "H"), str(side or "W"), "3"]
    shape = frames.shape
    fits = (
        frames.dtype == np.uint8
        and len(shape) == len(dims)
        and shape[1:-3] == window
        and shape[-1] == 3
        and min(shape) > 0
        and (side is None or shape[-3:-1] == (side, side))
    )
    if not fits:
        raise ClipError(
            "encode", f"{name} takes uint8[{', '.join(dims)}], not {frames.dtype}{list(shape)}"
        )


def _check_precision(precision: str, device: torch.device) -> None:
    if precision not in PRECISIONS:
        raise UserError(
            f"encoder.precision: {precision!r} is unknown; allowed: {', '.join(PRECISIONS)}"
        )
    if precision != "fp32" and device.type == "cpu":
        raise UserError(f"encoder.precision: {precision} needs a GPU; allowed on a CPU: fp32")


def load_feature_encoder(spec: Mapping[str, Any], weights: Path, *, device: str) -> FeatureEncoder:
    """Load the feature encoder that a recipe's `encoder:` mapping names.

    Args:
        spec: `name`, and optionally `precision` (one of `PRECISIONS`).
        weights: safetensors file that `weights.convert` wrote.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        UserError: a precision that the device does not offer, or a file that does not hold exactly
            this model's weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    name = spec["name"]
    precision = spec.get("precision", "fp32")
    _check_precision(precision, torch.device(device))
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{weights}: cannot be read as safetensors: {error}") from error
    network = filled(bare_network(name), tensors, name=name, where=weights)
    return FeatureEncoder(name, network, device=device, precision=precision)


def bare_network(name: str) -> nn.Module:
    """Return the network of a card, without values: all its tensors are on the meta device."""
    module = import_module(f"{__package__}.{encoder_card(name).module}")
    with torch.device("meta"):
        network: nn.Module = module.network(name)
    return network


def filled(
    network: nn.Module, tensors: Mapping[str, Tensor], *, name: str, where: Path
) -> nn.Module:
    """Put tensors into a network without values; every name and shape must fit.

    Counts of training batches in batch norms are left out on both sides: nothing here uses them.

    Raises:
        UserError: names the first tensor that is missing, superfluous or of another shape.
    """
    check_tensors(network, tensors, name=name, where=where)
    counts = {
        key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if _is_count(key)
    }
    network.load_state_dict({**counts, **tensors}, strict=True, assign=True)
    return network


def check_tensors(
    network: nn.Module, tensors: Mapping[str, Tensor], *, name: str, where: Path
) -> None:
    """Raise UserError unless `tensors` has exactly the network's names and shapes."""
    expected = {
        key: tuple(tensor.shape)
        for key, tensor in network.state_dict().items()
        if not _is_count(key)
    }
    for key in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[key].shape) if key in tensors else None
        if found != expected.get(key):
            raise UserError(
                f"{where}: not the weights of {name}: tensor {key} is {found or 'missing'},"
                f" expected {expected.get(key, 'no such tensor')}"
            )


def without_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that are not counts of training batches."""
    return {key: tensor for key, tensor in tensors.items() if not _is_count(key)}


def _is_count(key: str) -> bool:
    return key.endswith("num_batches_tracked")
