"""extract_frames, crop_frames, encode_images and extract_audio: what pixels and sound of clips depend on, and
which packs of frames are made in one pass.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reelpack.config.recipes import Product, audio_slug, products
from reelpack.config.settings import Settings
from reelpack.config.stage_results import (
    describe_audio,
    describe_crop,
    describe_frames,
    describe_images,
)
from reelpack.config.stages import STAGES
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.paths import Wildcards, fill_folders, find_products, list_pixels


def get_frames_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return extract_frames' result string."""
    return canonical(describe_frames(find_products(settings)[wildcards["sampling"], "whole"]))


def get_ffmpeg(settings: Settings, _: Wildcards) -> Unrecorded:
    """Return the ffmpeg program that the config names; its version stands in results."""
    return Unrecorded(settings.config["ffmpeg"])


def get_crop_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return crop_frames' result string."""
    product = find_products(settings)[wildcards["sampling"], wildcards["crop"]]
    return canonical(describe_crop(product))


def get_images_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return encode_images' result string."""
    return canonical(describe_images(settings, wildcards["recipe"]))


def is_one_pass(settings: Settings, wildcards: Wildcards) -> bool:
    """Whether a recipe without an encoder goes from clips to image files in one job per shard.

    It does unless its frames are staged, because it says so or since others need them. What is there
    already is used, so that another mode, model or recipe runs nothing again, and retries reach the
    jobs that did the work.
    """
    recipe = settings.recipe(wildcards["recipe"])
    if recipe["encoder"] is not None or recipe["mode"] == "staged":
        return False
    (images,) = fill_folders([STAGES["encode_images"].output], wildcards)
    if Path(images).exists():
        return True
    place = wildcards["dataset"], wildcards["split"]
    if all(product in _find_staged(settings, *place) for product in products(recipe)):
        return False
    return not all(Path(folder).exists() for folder in fill_folders(list_pixels(recipe), wildcards))


@cache
def _find_staged(settings: Settings, dataset: str, split: str) -> list[Product]:
    """Return the products of a split that are staged for staged recipes or for trainings."""
    cards = [settings.recipe(name) for name in settings.datasets[dataset].recipes]
    cards = [card for card in cards if card["mode"] == "staged"]
    models = [settings.model(name) for name in settings.models]
    cards += [
        model
        for model in models
        if not model["checkpoint"] and (model["dataset"], model["split"]) == (dataset, split)
    ]
    found = [product for card in cards for product in products(card)]
    return found + [Product(product.frames, None) for product in found]


def get_audio_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return extract_audio's result string."""
    cards = [settings.recipe(r) for data in settings.datasets.values() for r in data.recipes]
    sounds = [card["audio"] for card in cards if card["audio"] is not None]
    found, *_ = (sound for sound in sounds if audio_slug(sound) == wildcards["audio"])
    return canonical(describe_audio(found))
