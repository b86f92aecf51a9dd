"""Cards of video transformers, checked across their keys; no model is loaded for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelpack.config.sampling import read_sampling
from reelpack.config.transformer_sizes import Sizes, Triple
from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.errors import UserError


def check_transformer(
    card: Mapping[str, Any], *, model: Mapping[str, Any], side: int, stride: int, where: str
) -> None:
    """Check what a schema cannot say about a filled-in card.

    Args:
        card: the transformer's card.
        model: the card of the VQ-VAE whose codes it learns.
        side: side of the frames in pixels.
        stride: pixels per code along a side.
        where: the start of the error line.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    try:
        settings = TransformerSettings.from_card(card)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    for key in ("codebooks", "codes"):
        wanted = model["architecture"][key]
        if card["architecture"][key] != wanted:
            raise UserError(
                f"{where}: architecture.{key}: {card['architecture'][key]}; allowed:"
                f" {wanted}, as in the VQ-VAE of recipe {card['recipe']}"
            )
    codes = side // stride
    sizes = settings.architecture
    _check_shape(sizes, (settings.frames, codes, codes), where=f"{where}: training.frames")
    if settings.primed_frames >= settings.frames:
        raise UserError(
            f"{where}: training.primed_frames: {settings.primed_frames}; allowed: less than"
            f" training.frames ({settings.frames})"
        )
    if settings.patience and card["held_out"] is None:
        raise UserError(f"{where}: training.patience: needs held_out, a split to measure on")
    _check_samples(card["samples"], sizes, settings.frames, codes=codes, where=where)


def _check_samples(
    samples: Mapping[str, Any], sizes: Sizes, learned_frames: int, *, codes: int, where: str
) -> None:
    if samples["primed"] >= samples["length"]:
        raise UserError(
            f"{where}: samples.primed: {samples['primed']}; allowed: less than samples.length"
            f" ({samples['length']})"
        )
    _check_shape(sizes, (samples["length"], codes, codes), where=f"{where}: samples.length")
    # Slices that skip frames lie otherwise in a longer video than in those it has learned from.
    if sizes.stride[0] > 1 and samples["length"] > learned_frames:
        raise UserError(
            f"{where}: samples.length: {samples['length']}; allowed: at most training.frames"
            f" ({learned_frames}), since slices skip frames"
        )


def check_recipe_of(card: Mapping[str, Any], recipe: Mapping[str, Any], *, where: str) -> None:
    """Check that a recipe gives codes to learn from, in videos that are long enough.

    Raises:
        UserError: as `check_transformer`.
    """
    place = f"{where}: recipe: {card['recipe']}"
    if (recipe["encoder"] or {}).get("name") != "vqvae":
        raise UserError(f"{place} has no vqvae encoder, whose codes could be learned")
    if recipe["pack"]["format"] != "lvt_codes":
        raise UserError(f"{place} has pack.format {recipe['pack']['format']}; allowed: lvt_codes")
    longest = read_sampling(recipe["frames"]).most
    for key, count in (
        ("training.frames", card["training"]["frames"]),
        ("samples.primed", card["samples"]["primed"]),
    ):
        if longest is not None and count > longest:
            raise UserError(
                f"{where}: {key}: {count}; allowed: at most {longest}, as many as recipe"
                f" {card['recipe']} keeps of a video"
            )


def _check_shape(sizes: Sizes, video: Triple, *, where: str) -> None:
    try:
        sizes.slice_shape(video)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
