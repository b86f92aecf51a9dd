"""Continue videos: draw the codes of frames that are not there yet.

Every draw has its own number from a generator that is keyed by seed and sample, so a sample depends
neither on those drawn beside it nor on how it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from reelpack.config.transformer_sizes import Triple
from reelpack.core.errors import UserError
from reelpack.lvt.transformer.model import SliceReader, VideoTransformer, take_slices
from reelpack.lvt.transformer.stepping import SliceStepper

# From float[B, width] and a position to its codes, int64[B, codebooks].
Chooser = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class DrawSettings:
    """What is drawn.

    Attributes:
        length: frames of a video, the given ones among them.
        seed: decides, with a sample's number, all its draws.
        samples: the numbers of the samples, by default 0 to B - 1.
        temperature: divides the scores; 0 takes the likeliest code.
    """

    length: int
    seed: int
    samples: Sequence[int] | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise UserError(f"temperature {self.temperature}; allowed: at least 0")


@torch.inference_mode()
def draw_videos(
    model: VideoTransformer, prime: Tensor, settings: DrawSettings, *, cached: bool = True
) -> Tensor:
    """Draw continuations of videos.

    Args:
        model: in evaluation mode.
        prime: int64[B, codebooks, n, H, W], the first n frames of each video, n at least 0.
        settings: what is drawn.
        cached: keep keys and values of finished positions. Without it every position reads its whole
            slice again, which is the plain method and gives the same codes up to rounding.

    Returns:
        int64[B, codebooks, length, H, W]; the first n frames are `prime`.

    Raises:
        UserError: a shape or codes that do not suit the model.
    """
    batch, codebooks, primed, height, width = prime.shape
    if primed > settings.length:
        raise UserError(f"{primed} frames to start from, but only {settings.length} are asked for")
    if prime.numel() and not 0 <= prime.min() <= prime.max() < model.sizes.codes:
        raise UserError(
            f"codes reach from {prime.min()} to {prime.max()}, the model knows 0 to"
            f" {model.sizes.codes - 1}"
        )
    numbers = range(batch) if settings.samples is None else settings.samples
    shape = (codebooks, settings.length, height, width)
    noise = draw_noise(settings.seed, numbers, shape)
    codes = prime.new_zeros((batch, *shape))
    codes[:, :, :primed] = prime
    tables = model.make_tables(codes)
    given = (tables.positions < primed * height * width).sum(dim=1).tolist()
    for number, known in enumerate(given):
        if known == tables.positions.shape[1]:
            continue
        slices = torch.full((batch,), number, device=codes.device)
        draws = take_slices(noise, slices.cpu(), tables)
        part = take_slices(codes, slices, tables)
        choose = partial(_draw_position, model, draws, temperature=settings.temperature)
        context = model.encoder(codes, slices, tables)
        draw = _draw_cached if cached else _draw_plainly
        draw(model.decoder, part, context, tables.shape, known=known, choose=choose)
        codes.flatten(2)[:, :, tables.positions[number].to(codes.device)] = part
    return codes


def draw_noise(seed: int, samples: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Return float64[len(samples), *shape] in [0, 1), each sample from its own generator."""
    arrays = [np.random.default_rng([seed, number]).random(tuple(shape)) for number in samples]
    return torch.from_numpy(np.stack(arrays))


def draw_codes(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Turn scores into codes by inverting their cumulative distribution.

    Args:
        logits: float[B, codes].
        noise: float64[B] in [0, 1), on the CPU.
        temperature: divides the scores; 0 takes the likeliest code.

    Returns:
        int64[B], on the logits' device.
    """
    if not temperature:
        return logits.argmax(dim=1)
    # On a GPU, sums along a row have no fixed order.
    cumulative = (logits.cpu().double() / temperature).softmax(dim=1).cumsum(dim=1)
    found = torch.searchsorted(cumulative, noise[:, None].contiguous(), right=True).squeeze(1)
    # The last sum may fall short of 1 by rounding.
    return found.clamp(max=logits.shape[1] - 1).to(logits.device)


def _draw_position(
    model: VideoTransformer, draws: Tensor, x: Tensor, position: int, *, temperature: float
) -> Tensor:
    """Draw all codes of one position, int64[B, codebooks], from float[B, width]."""
    predictor = model.ch_predictor
    normed = predictor.layer_norm(x)
    known = torch.empty(0, len(x), dtype=torch.int64, device=x.device)
    for k in range(model.sizes.codebooks):
        chosen = draw_codes(predictor.score(normed, known), draws[:, k, position], temperature)
        known = torch.cat([known, chosen[None]])
    return known.t()


def _draw_plainly(
    decoder: SliceReader,
    part: Tensor,
    context: Tensor,
    shape: Triple,
    *,
    known: int,
    choose: Chooser,
) -> None:
    """Fill in int64[B, codebooks, N] from position `known` on, reading the slice for each."""
    for position in range(known, part.shape[2]):
        x = decoder(part, context, shape)[:, position]
        part[:, :, position] = choose(x, position)


def _draw_cached(
    decoder: SliceReader,
    part: Tensor,
    context: Tensor,
    shape: Triple,
    *,
    known: int,
    choose: Chooser,
) -> None:
    """As `_draw_plainly`, but each position is read once."""
    stepper = SliceStepper(decoder, context, shape)
    if known:
        stepper.prefill(part, known)
    for position in range(known, part.shape[2]):
        codes = choose(stepper.read(position), position)
        part[:, :, position] = codes
        stepper.write(position, codes)
