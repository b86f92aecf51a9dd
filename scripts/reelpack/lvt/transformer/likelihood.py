"""How well a model predicts codes: cross entropy and bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from reelpack.lvt.transformer.model import VideoTransformer


def compute_losses(
    model: VideoTransformer, codes: Tensor, slices: Tensor, *, primed_frames: int
) -> Tensor:
    """Return the cross entropies of one slice of each video.

    Args:
        model: the model.
        codes: int64[B, codebooks, T, H, W].
        slices: int64[B], which slice of each video.
        primed_frames: codes of that many frames at the start are given, not predicted.

    Returns:
        float[M], nats, one for each predicted code.
    """
    logits, target = model(codes, slices)
    frames = model.make_tables(codes).positions.to(codes.device)[slices] // math.prod(
        codes.shape[3:]
    )
    predicted = (frames >= primed_frames)[:, None].expand_as(target)
    with torch.autocast(codes.device.type, enabled=False):
        return F.cross_entropy(logits[predicted].float(), target[predicted], reduction="none")


def list_predicted_slices(
    model: VideoTransformer, codes: Tensor, *, primed_frames: int
) -> list[int]:
    """Return the numbers of the slices with a code behind the primed frames."""
    last = model.make_tables(codes).positions[:, -1] // math.prod(codes.shape[3:])
    return [number for number, frame in enumerate(last.tolist()) if frame >= primed_frames]


def measure_bits(
    model: VideoTransformer, batches: Iterable[Tensor], *, primed_frames: int = 1
) -> float:
    """Return the mean over all predicted codes of their information in bits.

    As the published evaluation counts: every codebook is a dimension of its own, and the first frame
    is given.

    Args:
        model: in evaluation mode.
        batches: codes int64[B, codebooks, T, H, W].
        primed_frames: frames that are given.

    Returns:
        Bits per dimension; NaN when nothing is predicted.
    """
    return average_bits(sum_information(model, batches, primed_frames=primed_frames))


@torch.inference_mode()
def sum_information(
    model: VideoTransformer, batches: Iterable[Tensor], *, primed_frames: int = 1
) -> Tensor:
    """Return float64[2]: the information of all predicted codes in nats, and how many they are.

    Args:
        model: in evaluation mode.
        batches: codes int64[B, codebooks, T, H, W].
        primed_frames: frames that are given.
    """
    nats, dimensions = 0.0, 0
    device = next(model.parameters()).device
    for batch in batches:
        codes = batch.to(device)
        for number in list_predicted_slices(model, codes, primed_frames=primed_frames):
            slices = torch.full((len(codes),), number, device=device)
            losses = compute_losses(model, codes, slices, primed_frames=primed_frames)
            nats += losses.double().sum().item()
            dimensions += len(losses)
    return torch.tensor([nats, dimensions], dtype=torch.float64, device=device)


def average_bits(found: Tensor) -> float:
    """Return bits per dimension from what `sum_information` gave; NaN when nothing is predicted."""
    nats, dimensions = found.tolist()
    return nats / math.log(2) / dimensions if dimensions else math.nan
