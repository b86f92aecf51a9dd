"""What the workflow hands to reports and audits: what there should be, and the state of what they read.

All that planning needs: nothing here opens a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelpack.config.datasets import Dataset
from reelpack.config.settings import Settings
from reelpack.core.results import canonical
from reelpack.core.state import digest_states
from reelpack.report.times import find_benchmarks

_READ = {
    "results": (
        *("*/*/**/*.ledger.parquet", "*/*/manifest.parquet", "*/*/packs/*/provenance.json"),
        *("*/*/measures/*.json", "*/*/samples/*/samples.csv"),
    ),
    "resources/models": ("*/*/metrics.csv",),
    "resources/transformers": ("*/*/metrics.csv",),
}
_DALLE_TOKENS = 8192


def request_report(settings: Settings, folder: Path) -> dict[str, Any]:
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
            "recipes": {recipe: _find_vocabulary(settings, recipe) for recipe in dataset.recipes},
        }
        for name, dataset in settings.datasets.items()
        if dataset.in_all or (folder / "results" / name).exists()
        for split, shards in dataset.shards.items()
    }


def _find_vocabulary(settings: Settings, recipe: str) -> int | None:
    """Return how many tokens a codebook of a recipe's encoder has, None without tokens."""
    encoder = settings.recipe(recipe)["encoder"]
    if encoder is None:
        return None
    if "model" in encoder:
        return int(settings.model(encoder["model"])["architecture"]["codes"])
    return _DALLE_TOKENS if encoder["name"] == "dalle" else None


@dataclass(frozen=True)
class SplitRequest:
    """What there should be of a split.

    Attributes:
        published: clips that the card says there are, None where it does not.
        shards: how many shards it has.
        is_fetched: some source may still bring files that are not here; for a list, that of an address.
    """

    published: int | None
    shards: int
    is_fetched: bool


@dataclass(frozen=True)
class AuditRequest:
    """What there should be of a dataset.

    Attributes:
        windows: what start and end mean, `inside` a clip's file, or `cut` from a longer video.
        folders: folders whose files should all be listed, with all that lies below them; none for a
            list, whose folders are those of its files.
        splits: by name, in order.
    """

    dataset: str
    windows: str
    folders: tuple[str, ...]
    splits: Mapping[str, SplitRequest]

    def to_json(self) -> str:
        """Return this as canonical JSON."""
        return canonical(asdict(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AuditRequest:
        """Build this from what `to_json` wrote, once parsed."""
        splits = {name: SplitRequest(**split) for name, split in values["splits"].items()}
        return cls(values["dataset"], values["windows"], tuple(values["folders"]), splits)


def request_audit(data: Dataset) -> AuditRequest:
    """Return what an audit of a configured dataset is to look for."""
    published = data.card.get("splits", {})
    splits = {
        split: SplitRequest(
            published=published.get(split, {}).get("clips"),
            shards=shards,
            is_fetched=bool(data.fetched_sources(split)),
        )
        for split, shards in data.shards.items()
    }
    folders: list[str] = []
    if not data.is_list:
        folders = [each["folder"] for each in data.sources if "folder" in each]
        folders.append(data.videos)
    return AuditRequest(data.name, data.windows, tuple(dict.fromkeys(folders)), splits)


# ---- states ------------------------------------------------------------------------------------


def digest_results(folder: Path) -> str:
    """Return a digest over the state of all that a report reads.

    Args:
        folder: the run's folder, with `results`, `resources` and `benchmarks`.
    """
    found = sorted(
        path
        for name, patterns in _READ.items()
        for pattern in patterns
        for path in (folder / name).glob(pattern)
    )
    return digest_states([*found, *find_benchmarks(folder / "benchmarks")])


def digest_downloads(dataset: Path) -> str:
    """Return a digest over the state of a dataset's ledgers of downloads.

    Args:
        dataset: `results/{dataset}`.
    """
    # A run beside this one may be replacing some.
    return digest_states(sorted(dataset.glob("*/downloads/*.ledger.parquet")))
