"""extract_frames, crop_frames and extract_audio: what the pixels and the sound of clips depend on."""

from __future__ import annotations

from reelpack.config.recipes import audio_slug
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_audio, describe_crop, describe_frames
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.paths import Wildcards, find_products


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


def get_audio_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return extract_audio's result string."""
    cards = [settings.recipe(r) for data in settings.datasets.values() for r in data.recipes]
    sounds = [card["audio"] for card in cards if card["audio"] is not None]
    found, *_ = (sound for sound in sounds if audio_slug(sound) == wildcards["audio"])
    return canonical(describe_audio(found))
