"""What the workflow hands to the report: what config.yaml asks for, and the state of what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelpack.config.settings import Settings
from reelpack.core.state import digest_states
from reelpack.report.times import benchmark_files

_READ = {
    "results": (
        *("*/*/**/*.ledger.parquet", "*/*/manifest.parquet", "*/*/packs/*/provenance.json"),
        *("*/*/measures/*.json", "*/*/samples/*/samples.csv"),
    ),
    "resources/models": ("*/*/metrics.csv",),
    "resources/transformers": ("*/*/metrics.csv",),
}
_DALLE_TOKENS = 8192


def asked_for(settings: Settings, folder: Path) -> dict[str, Any]:
    """Return, by `{dataset}/{split}`, the shards and the recipes with their vocabularies.

    What `all` leaves out is asked for once there is something of it.

    Args:
        settings: the config.
        folder: the run's folder, with `results`.

    Returns:
        JSON values: {"demo/all": {"shards": 3, "recipes": {"vimpac_demo": 512}}}; a vocabulary is
        null for a recipe that gives no tokens.
    """
    return {
        f"{name}/{split}": {
            "shards": shards,
            "recipes": {recipe: vocabulary(settings, recipe) for recipe in dataset.recipes},
        }
        for name, dataset in settings.datasets.items()
        if dataset.in_all or (folder / "results" / name).exists()
        for split, shards in dataset.shards.items()
    }


def vocabulary(settings: Settings, recipe: str) -> int | None:
    """Return how many tokens a codebook of a recipe's encoder has, None without tokens."""
    encoder = settings.recipe(recipe)["encoder"]
    if encoder is None:
        return None
    if "model" in encoder:
        return int(settings.model(encoder["model"])["architecture"]["codes"])
    return _DALLE_TOKENS if encoder["name"] == "dalle" else None


def state(folder: Path) -> str:
    """Return a digest over name, size and time of all that a report reads, without opening it.

    Args:
        folder: the run's folder, with `results`, `resources` and `benchmarks`.
    """
    return digest_states(_files(folder))


def _files(folder: Path) -> list[Path]:
    found = sorted(
        path
        for name, patterns in _READ.items()
        for pattern in patterns
        for path in (folder / name).glob(pattern)
    )
    return [*found, *benchmark_files(folder / "benchmarks")]
