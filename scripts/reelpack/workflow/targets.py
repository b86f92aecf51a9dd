"""What the targets build: packs, samples and measures of datasets, downloads and weights of all."""

from __future__ import annotations

from collections.abc import Iterable

from reelpack.config.settings import Settings
from reelpack.config.stages import SPLIT, STAGES
from reelpack.workflow.paths import fill_shards, list_splits


def get_all(settings: Settings) -> list[str]:
    """Return the datasets that the target `all` builds."""
    return [name for name, data in settings.datasets.items() if data.in_all]


def get_packs(settings: Settings, datasets: Iterable[str]) -> list[str]:
    """Return the provenance files of all packs of these datasets: each is the last file of its pack."""
    pattern = f"{STAGES['write_pack'].place}/provenance.json"
    return [
        pattern.format(dataset=name, split=split, recipe=recipe)
        for name, split in list_splits(settings, datasets)
        for recipe in settings.datasets[name].recipes
    ]


def get_samples(settings: Settings, datasets: Iterable[str]) -> list[str]:
    """Return the tables of what the transformers of these datasets generate."""
    pattern = f"{STAGES['generate_videos'].place}/samples.csv"
    cards = [
        (dataset, name, settings.transformer(name))
        for dataset in datasets
        for name in settings.datasets[dataset].transformers
    ]
    return [
        pattern.format(dataset=dataset, split=card["samples"]["split"], transformer=name)
        for dataset, name, card in cards
    ]


def get_measures(settings: Settings, datasets: Iterable[str]) -> list[str]:
    """Return the measures of all recipes of these datasets whose codes can be turned into frames."""
    pattern = f"{STAGES['measure_codes'].place}/{{recipe}}.json"
    return [
        pattern.format(dataset=name, split=split, recipe=recipe)
        for name, split in list_splits(settings, datasets)
        for recipe in settings.datasets[name].recipes
        if settings.is_measured(recipe)
    ]


def get_manifests(settings: Settings, dataset: str) -> list[str]:
    """Return the manifests of all splits of a dataset."""
    pattern = f"{SPLIT}/manifest.parquet"
    return [
        pattern.format(dataset=name, split=split)
        for name, split in list_splits(settings, [dataset])
    ]


def get_weights(settings: Settings) -> list[str]:
    """Return the original files of all weights that `all` encodes with."""
    recipes = {r for name in get_all(settings) for r in settings.datasets[name].recipes}
    encoders = [settings.recipe(recipe)["encoder"] or {} for recipe in sorted(recipes)]
    names = {encoder["weights"] for encoder in encoders if "weights" in encoder}
    return [f"resources/weights/{name}/original" for name in sorted(names)]


def get_downloads(settings: Settings) -> list[str]:
    """Return the ledgers of all downloads that `all` needs."""
    return [
        path
        for name, split in list_splits(settings, get_all(settings))
        for path in fill_shards(settings, name, split, STAGES["download_shard"].ledger)
    ]
