"""Paths of results: patterns of stages, filled in for one job, for a split, or for a recipe's frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reelpack.config.recipes import Product, products
from reelpack.config.settings import Settings
from reelpack.config.stages import SPLIT, STAGES

# What stands for the wildcards of a job's files, by name.
Wildcards = Mapping[str, str]
SHARD_TABLE = f"{SPLIT}/shards/{{shard}}.parquet"


def list_splits(settings: Settings, datasets: Iterable[str]) -> list[tuple[str, str]]:
    """Return (dataset, split) of all that is built of these datasets."""
    return [(name, split) for name in datasets for split in settings.datasets[name].shards]


def fill_shards(settings: Settings, dataset: str, split: str, pattern: str) -> list[str]:
    """Return a pattern filled in for all shards of a split."""
    shards = settings.shards(dataset, split)
    return [pattern.format(dataset=dataset, split=split, shard=shard) for shard in shards]


def fill_folders(patterns: Iterable[str], wildcards: Wildcards) -> list[str]:
    """Return the folders of files that are given by patterns, with their wildcards filled in."""
    return [str(Path(pattern).parent).format(**wildcards) for pattern in patterns]


def find_first_table(settings: Settings, dataset: str, split: str) -> str:
    """Return one shard table of a split; see rules/manifest.smk for why."""
    return fill_shards(settings, dataset, split, SHARD_TABLE)[0]


def make_pixels_pattern(product: Product, *, ledger: bool = False) -> str:
    """Return the path, with wildcards for dataset, split and shard, of a product's staged shard.

    Args:
        product: frames, cropped or whole.
        ledger: the shard's ledger instead.
    """
    stage = STAGES["extract_frames" if product.crop is None else "crop_frames"]
    names = {"sampling": product.sampling_slug, "crop": product.crop_slug}
    return fill_some(stage.ledger if ledger else stage.output, **names)


def fill_some(pattern: str, **names: str) -> str:
    """Fill in some of a pattern's wildcards, and leave the others."""
    kept = {name: f"{{{name}}}" for name in ("dataset", "split", "shard")}
    return pattern.format(**{**kept, **names})


def list_pixels(recipe: Mapping[str, Any], *, ledger: bool = False) -> list[str]:
    """Return the patterns of all staged shards that a recipe is made from, or of their ledgers."""
    return [make_pixels_pattern(product, ledger=ledger) for product in products(recipe)]


@cache
def find_products(settings: Settings) -> dict[tuple[str, str], Product]:
    """Return every product that a recipe or a model in use is made from, by its two slugs."""
    cards = [settings.recipe(r) for data in settings.datasets.values() for r in data.recipes]
    cards += [settings.model(name) for name in settings.models]
    found = [product for card in cards for product in products(card)]
    whole = [Product(product.frames, None) for product in found]
    return {(p.sampling_slug, p.crop_slug): p for p in found + whole}
