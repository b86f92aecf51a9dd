"""Recipes and models: cards merged, checked across keys, and turned into slugs and variants."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reelpack.config.encoder_cards import encoder_card
from reelpack.config.ffmpeg_program import find_planned_program
from reelpack.config.pack_rules import check_format
from reelpack.config.sampling import RULES, Sampling, read_sampling
from reelpack.core.errors import UserError
from reelpack.core.results import digest

ALTERNATIVES = {
    "frames": (RULES, ("shorter_side", "square")),
    "encoder": (("weights", "model"),),
}


@dataclass(frozen=True)
class Product:
    """One set of pixels: a sampling at one scale, and a crop of it.

    Attributes:
        frames: the recipe's `frames` mapping with a single `shorter_side`.
        crop: mapping of size, position, hflip and, where not the usual, fit and jpeg; None for
            whole frames.
    """

    frames: Mapping[str, Any]
    crop: Mapping[str, Any] | None

    @cached_property
    def sampling(self) -> Sampling:
        """Which frames of a clip."""
        return read_sampling(self.frames)

    @property
    def sampling_slug(self) -> str:
        """Readable, injective name of the sampling and scale, such as `fps2d3_short224`."""
        frames, parts = self.frames, [self.sampling.slug]
        if "shorter_side" in frames:
            parts.append(f"short{frames['shorter_side']}")
        elif "square" in frames:
            parts.append(f"square{frames['square']}")
        else:
            parts.append("native")
        # It also turns the colours to RGB where no size changes.
        parts += [frames["scaler"]] if frames["scaler"] != "bicubic" else []
        parts += [f"jpeg{frames['jpeg']}"] if "jpeg" in frames else []
        return "_".join(parts)

    @property
    def crop_slug(self) -> str:
        """Readable, injective name of the crop, such as `center256_hflip`; `whole` for none."""
        if self.crop is None:
            return "whole"
        fit = self.crop.get("fit", "cut")
        flip = "_hflip" if self.crop["hflip"] else ""
        jpeg = f"_jpeg{self.crop['jpeg']}" if "jpeg" in self.crop else ""
        return f"{self.crop['position'] if fit == 'cut' else fit}{self.crop['size']}{flip}{jpeg}"

    @property
    def name(self) -> str:
        """Name of this product among the products of one recipe."""
        return f"{self.sampling_slug}/{self.crop_slug}"

    @property
    def side(self) -> int | None:
        """Side of the square frames in pixels, None where clips differ in size."""
        if self.crop is not None:
            return None if self.crop.get("fit") == "linear" else int(self.crop["size"])
        return self.frames.get("square")


def audio_slug(audio: Mapping[str, Any]) -> str:
    """Return a name of the place that sound comes from, injective: `track`, `folder.1a2b3c4d`."""
    if "folder" in audio:
        return f"folder.{digest(audio['folder'])}"
    return f"track{audio.get('track', '')}"


def as_list(value: Any) -> list[Any]:
    """Return a list as it is and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def products(recipe: Mapping[str, Any]) -> list[Product]:
    """Expand the lists in `frames.shorter_side`, `crop.position` and `crop.hflip`, in their order."""
    crop = recipe["crop"]
    frame_sets: list[dict[str, Any]] = [dict(recipe["frames"])]
    if "shorter_side" in recipe["frames"]:
        sides = as_list(recipe["frames"]["shorter_side"])
        frame_sets = [{**recipe["frames"], "shorter_side": side} for side in sides]
    crops: list[dict[str, Any] | None] = [None]
    if crop is not None:
        pairs = itertools.product(as_list(crop["position"]), as_list(crop["hflip"]))
        # Spelt only where it is not the usual, so that the usual has one spelling.
        more = {key: crop[key] for key in ("fit", "jpeg") if crop.get(key, "cut") != "cut"}
        crops = [{"size": crop["size"], "position": p, "hflip": f, **more} for p, f in pairs]
    return [Product(frames, cut) for frames, cut in itertools.product(frame_sets, crops)]


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `change` over `base`, mapping by mapping; None removes a key's inherited mapping.

    In `frames` the ways to choose frames, and the ways to size them, replace one another; so do
    `weights` and `model` in `encoder`.
    """
    merged = copy.deepcopy(dict(base))
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            for group in ALTERNATIVES.get(key, ()):
                if any(name in value for name in group):
                    for name in set(group) - set(value):
                        merged[key].pop(name, None)
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def spell_one_way(card: dict[str, Any]) -> dict[str, Any]:
    """Write fractions in one way, since 2, 2.0 and "4/2" are the same sampling; leave out what is usual."""
    frames = dict(card["frames"])
    sampling = read_sampling(frames)
    if sampling.fps is not None:
        frames["fps"] = str(sampling.fps)
    if sampling.windows is not None:
        frames["windows"] = {**frames["windows"], "clip_len": str(sampling.windows.clip_len)}
    for key, usual in (("stream", "first"), ("damage", "chosen"), ("decoder", "library")):
        if frames.get(key) == usual:
            del frames[key]
    return {**card, "frames": frames}


def check_frames(card: Mapping[str, Any], *, where: str) -> None:
    """Check what a schema cannot say about `frames` and `crop`.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    frames, crop = card["frames"], card["crop"]
    try:
        read_sampling(frames)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if "shorter_side" in frames and "square" in frames:
        raise UserError(f"{where}: frames: at most one of shorter_side and square; got both")
    if frames.get("jpeg") == "ffmpeg" and "square" in frames:
        raise UserError(f"{where}: frames.jpeg: ffmpeg is not for frames.square; a number is")
    if crop is None:
        return
    if "jpeg" in crop and card.get("encoder", card) is not None:
        raise UserError(f"{where}: crop.jpeg: only in recipes without encoder; frames.jpeg is not")
    fit = crop.get("fit", "cut")
    if fit != "cut":
        for key, usual in (("position", "center"), ("hflip", False)):
            if as_list(crop[key]) != [usual]:
                raise UserError(f"{where}: crop.{key}: only with fit: cut; got fit: {fit}")
        return
    for side in as_list(frames.get("shorter_side", frames.get("square"))):
        if side is not None and crop["size"] > side:
            raise UserError(
                f"{where}: crop.size: {crop['size']} is larger than the frame, whose shorter side"
                f" is {side} (frames.shorter_side or frames.square); at most {side}"
            )


def check_recipe(recipe: Mapping[str, Any], *, where: str) -> None:
    """Check a filled-in recipe across its keys.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    check_frames(recipe, where=where)
    sets = products(recipe)
    if len({product.name for product in sets}) != len(sets):
        raise UserError(f"{where}: two of the crop sets are the same")
    if recipe["encoder"] is not None:
        _check_encoder(recipe["encoder"], sets, where=where)
        _check_window(recipe, where=where)
    elif "group" in recipe:
        raise UserError(f"{where}: group: only for recipes with an encoder, which share a decode")
    if {"folder", "track"} <= (recipe["audio"] or {}).keys():
        raise UserError(f"{where}: audio: at most one of folder and track; got both")
    check_format(recipe, crop_sets=len(sets), where=where)


def _check_encoder(encoder: Mapping[str, Any], sets: list[Product], *, where: str) -> None:
    name = encoder["name"]
    card = encoder_card(name)
    needed, foreign = ("model", "weights") if name == "vqvae" else ("weights", "model")
    if needed not in encoder or foreign in encoder:
        raise UserError(f"{where}: encoder: {name} needs the key {needed} and takes no {foreign}")
    if card.width is None and "precision" in encoder:
        raise UserError(f"{where}: encoder.precision: only for encoders of features; got {name}")
    if card.width is not None and encoder["weights"] != name:
        raise UserError(
            f"{where}: encoder.weights: {name} takes the weights {name}; got {encoder['weights']}"
        )
    for product in sets:
        if card.width is not None and card.side is None:
            continue
        if card.side is not None and product.side != card.side:
            raise UserError(
                f"{where}: encoder: {name} takes squares of {card.side}; got"
                f" {product.side or 'frames of any size'}: give crop or frames.square"
            )
        if product.side is None:
            raise UserError(
                f"{where}: encoder: {name} needs square frames: give crop or frames.square"
            )
        if product.side % card.stride:
            raise UserError(
                f"{where}: encoder: {name} needs sides that are multiples of {card.stride};"
                f" got {product.side}"
            )


def _check_window(recipe: Mapping[str, Any], *, where: str) -> None:
    name = recipe["encoder"]["name"]
    wanted = encoder_card(name).window
    windows = read_sampling(recipe["frames"]).windows
    if windows is None:
        return
    found = windows.frames
    if found != wanted:
        raise UserError(
            f"{where}: frames.windows.frames: encoder {name} takes {wanted} per row; got {found}"
        )


def product_of(result: Mapping[str, Any], *, ffmpeg: str | None = None) -> Product:
    """Return the product that an extract_frames or crop_frames result stands for.

    Args:
        result: what the stage's result depends on.
        ffmpeg: the program that the config names, for who decodes; see `find_program`.

    Raises:
        UserError: the frames come from an ffmpeg program that is not here, or of another version.
    """
    whole = result["stage"] == "extract_frames"
    frames = result["frames"] if whole else result["frames"]["frames"]
    if ffmpeg is not None and "ffmpeg" in frames:
        frames = {**frames, "program": find_planned_program(ffmpeg, frames["ffmpeg"])}
    return Product(frames, None if whole else result["crop"])
