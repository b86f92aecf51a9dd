"""encode_group and encode_shard: pixels, weights and results of recipes, alone and in groups."""

from __future__ import annotations

from pathlib import Path

from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_encoding, describe_group
from reelpack.config.stages import STAGES
from reelpack.core.results import canonical
from reelpack.workflow.paths import Wildcards, find_first_table, list_pixels


def get_pixels(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the staged shards to encode; none when streamed."""
    recipe = settings.recipe(wildcards["recipe"])
    patterns = list_pixels(recipe) if recipe["mode"] == "staged" else []
    return [pattern.format(**wildcards) for pattern in patterns]


def get_earlier(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the ledgers of the stage before encoding."""
    recipe = settings.recipe(wildcards["recipe"])
    patterns = [STAGES["trim_shard"].ledger]
    if recipe["mode"] == "staged":
        patterns = list_pixels(recipe, ledger=True)
    return [pattern.format(**wildcards) for pattern in patterns]


def find_weights(settings: Settings, recipe: str) -> str:
    """Return the safetensors file that a recipe encodes with."""
    encoder = settings.recipe(recipe)["encoder"]
    if "weights" in encoder:
        return f"resources/weights/{encoder['weights']}/model.safetensors"
    model = encoder["model"]
    return f"resources/models/{settings.model(model)['dataset']}/{model}/model.safetensors"


def get_weights(settings: Settings, wildcards: Wildcards) -> str:
    """Return the safetensors file that a recipe encodes with."""
    return find_weights(settings, wildcards["recipe"])


def find_learned(settings: Settings, recipe: str) -> list[str]:
    """Return one table of what a recipe's model learned from; see rules/manifest.smk for why."""
    encoder = settings.recipe(recipe)["encoder"]
    if encoder is None or "model" not in encoder:
        return []
    model = settings.model(encoder["model"])
    if model["checkpoint"]:
        return []
    return [find_first_table(settings, model["dataset"], model["split"])]


def get_learned(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return one table of what a recipe's model learned from."""
    return find_learned(settings, wildcards["recipe"])


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return encode_shard's result string."""
    return canonical(describe_encoding(settings, wildcards["recipe"]))


# ---- groups ------------------------------------------------------------------------------------


def get_group(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the file that says that the recipe's group has been encoded, if it shares a decode.

    What was encoded before does not wait for its group: a recipe that joins a group, and has it run
    again, is to leave the others as they are.
    """
    recipe = wildcards["recipe"]
    codes = STAGES["encode_shard"].output.format(**wildcards)
    if not settings.group(wildcards["dataset"], recipe) or Path(codes).exists():
        return []
    group = settings.recipe(recipe)["group"]
    return [STAGES["encode_group"].output.format(**wildcards, group=group)]


def get_group_weights(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the safetensors files that a group's recipes encode with, in their order."""
    return [find_weights(settings, recipe) for recipe in _find_members(settings, wildcards)]


def get_group_learned(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return one table of what each model of a group learned from."""
    members = _find_members(settings, wildcards)
    return [path for recipe in members for path in find_learned(settings, recipe)]


def get_group_journals(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the journals of the recipes' own jobs."""
    folder = f"results/{wildcards['dataset']}/{wildcards['split']}/journal/encode_shard"
    members = _find_members(settings, wildcards)
    return [f"{folder}/{recipe}/{wildcards['shard']}" for recipe in members]


def get_group_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return encode_group's result string."""
    return canonical(describe_group(settings, wildcards["dataset"], wildcards["group"]))


def _find_members(settings: Settings, wildcards: Wildcards) -> list[str]:
    return settings.group_members(wildcards["dataset"], wildcards["group"])
