"""The recipes and datasets that there are, for people who choose among them.

Flows in: config.yaml and the cards. Flows out: rows of text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reelpack.config.datasets import Dataset
from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings

Row = tuple[str, ...]
RECIPE_HEADER = ("recipe", "format", "description")
DATASET_HEADER = ("dataset", "split", "clips", "built", "description")


def list_recipes(settings: Settings) -> list[Row]:
    """Return rows of the shipped recipes and the config's own, by name, below a header."""
    shipped = {path.stem for path in (settings.base / "recipes").glob("*.yaml")}
    rows: list[Row] = [RECIPE_HEADER]
    for name in sorted(shipped | {str(name) for name in settings.config["recipes"]}):
        card = settings.unchecked_card("recipe", name)
        rows.append((name, card.get("pack", {}).get("format", "-"), _tidy(card.get("description"))))
    return rows


def list_datasets(settings: Settings) -> list[Row]:
    """Return a row per split of the datasets with a card and of the config's own, below a header.

    `built` says whether `./reelpack build` makes packs of it: "yes", "named" where only a build
    of this dataset does, "no".
    """
    cards = {path.stem: path for path in (settings.base / "datasets").glob("*.yaml")}
    rows: list[Row] = [DATASET_HEADER]
    for name in sorted(cards.keys() | settings.datasets.keys()):
        card = load_yaml(cards[name]) if name in cards else {}
        rows += _list_splits(name, card, settings.datasets.get(name))
    return rows


def _list_splits(name: str, card: Mapping[str, Any], configured: Dataset | None) -> Iterator[Row]:
    splits = card.get("splits", {})
    built = configured.shards if configured else {}
    how = "yes" if configured and configured.in_all else "named"
    usual = "own videos" if configured else ""
    for number, split in enumerate([*splits, *(each for each in built if each not in splits)]):
        clips = splits.get(split, {}).get("clips")
        text = _tidy(card.get("description", usual)) if number == 0 else ""
        yield (
            name,
            split,
            "-" if clips is None else f"{clips:,}",
            how if split in built else "no",
            text,
        )


def _tidy(text: str | None) -> str:
    return " ".join((text or "").split())
