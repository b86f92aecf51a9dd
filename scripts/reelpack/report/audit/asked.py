"""What an audit is to look for, as the workflow hands it to the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelpack.config.datasets import Dataset
from reelpack.core.results import canonical
from reelpack.core.state import digest_states


@dataclass(frozen=True)
class AskedSplit:
    """One split.

    Attributes:
        published: clips that the card says there are, None where it does not.
        shards: how many shards it has.
        is_fetched: some source may still bring files that are not here; for a list, that of an address.
    """

    published: int | None
    shards: int
    is_fetched: bool


@dataclass(frozen=True)
class Asked:
    """One dataset.

    Attributes:
        windows: what start and end mean, `inside` a clip's file, or `cut` from a longer video.
        folders: folders whose files should all be listed, with all that lies below them; none for a
            list, whose folders are those of its files.
        splits: by name, in order.
    """

    dataset: str
    windows: str
    folders: tuple[str, ...]
    splits: Mapping[str, AskedSplit]

    def to_json(self) -> str:
        """Return this as canonical JSON."""
        return canonical(asdict(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Asked:
        """Build this from what `to_json` wrote, once parsed."""
        splits = {name: AskedSplit(**split) for name, split in values["splits"].items()}
        return cls(values["dataset"], values["windows"], tuple(values["folders"]), splits)


def asked_of(data: Dataset) -> Asked:
    """Return what an audit of a configured dataset is to look for."""
    published = data.card.get("splits", {})
    splits = {
        split: AskedSplit(
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
    return Asked(data.name, data.windows, tuple(dict.fromkeys(folders)), splits)


def state(dataset: Path) -> str:
    """Return a digest over name, size and time of a dataset's ledgers of downloads, without opening one.

    Args:
        dataset: `results/{dataset}`.
    """
    # A run beside this one may be replacing some.
    return digest_states(sorted(dataset.glob("*/downloads/*.ledger.parquet")))
