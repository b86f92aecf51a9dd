"""train_vqvae and import_vqvae, and what trainings of all kinds ask of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelpack.config.recipes import products
from reelpack.config.settings import CardKind, Settings
from reelpack.config.stage_results import describe_import, describe_training
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.paths import SHARD_TABLE, Wildcards, make_pixels_pattern


def get_tables(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the tables of the shards that a model learns from."""
    return _fill_shards(settings, wildcards["model"], SHARD_TABLE)


def get_pixels(settings: Settings, wildcards: Wildcards, *, ledger: bool) -> list[str]:
    """Return the staged shards that a model learns from, or their ledgers."""
    (product,) = products(settings.model(wildcards["model"]))
    pattern = make_pixels_pattern(product, ledger=ledger)
    return _fill_shards(settings, wildcards["model"], pattern)


def get_folder(settings: Settings, wildcards: Wildcards) -> str:
    """Return the folder of the staged shards that a model learns from."""
    return str(Path(get_pixels(settings, wildcards, ledger=False)[0]).parent)


def _fill_shards(settings: Settings, name: str, pattern: str) -> list[str]:
    model = settings.model(name)
    return [
        pattern.format(dataset=model["dataset"], split=model["split"], shard=shard)
        for shard in settings.model_shards(name)
    ]


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return train_vqvae's result string."""
    return canonical(describe_training(settings, wildcards["model"]))


def get_pictures(settings: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the steps between pictures of reconstructions; they are not part of the result."""
    return Unrecorded(str(_training(settings, wildcards)["pictures_every"]))


def get_threads(settings: Settings, wildcards: Wildcards) -> int:
    """Return the threads that a card fixes, of all processes of its training together."""
    training = _training(settings, wildcards)
    return int(training["threads"] * training["devices"])


def get_gpus(settings: Settings, wildcards: Wildcards) -> int:
    """Return how many GPUs a card trains on, all on one node."""
    return int(_training(settings, wildcards)["devices"])


def get_tensorboard(_: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the folder for a training's event files, which bear times and are not a result."""
    name = wildcards[_kind(wildcards)]
    return Unrecorded(f"logs/tensorboard/{wildcards['dataset']}/{name}")


def _training(settings: Settings, wildcards: Wildcards) -> Mapping[str, Any]:
    kind = _kind(wildcards)
    training: Mapping[str, Any] = settings.card(kind, wildcards[kind])["training"]
    return training


def _kind(wildcards: Wildcards) -> CardKind:
    return "model" if "model" in wildcards else "transformer"


def get_checkpoint(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the published files that a model or a transformer is imported from."""
    kind = _kind(wildcards)
    return settings.checkpoint_files(kind, wildcards[kind])


def get_checkpoint_folder(settings: Settings, wildcards: Wildcards) -> str:
    """Return the folder of published files that a model is imported from."""
    return str(settings.model(wildcards["model"])["checkpoint"])


def get_import_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return the result string of import_vqvae or import_transformer."""
    kind = _kind(wildcards)
    return canonical(describe_import(settings, kind, wildcards[kind]))
