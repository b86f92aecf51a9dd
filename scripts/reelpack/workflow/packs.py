"""write_pack: the shards and ledgers that a pack is made from."""

from __future__ import annotations

from reelpack.config.recipes import audio_slug
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_pack
from reelpack.config.stages import STAGES
from reelpack.core.results import canonical
from reelpack.workflow.paths import Wildcards, fill_folders, fill_shards, fill_some, list_pixels


def get_shards(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the shards that a pack is made from."""
    return _fill(settings, wildcards, ledger=False)


def get_ledgers(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the ledgers of the shards that a pack is made from."""
    return _fill(settings, wildcards, ledger=True)


def get_folders(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the folders of the shards that a pack is made from, in the order of its crop sets."""
    return fill_folders(_find_patterns(settings, wildcards["recipe"], ledger=False), wildcards)


def _fill(settings: Settings, wildcards: Wildcards, *, ledger: bool) -> list[str]:
    return [
        path
        for pattern in _find_patterns(settings, wildcards["recipe"], ledger=ledger)
        for path in fill_shards(settings, wildcards["dataset"], wildcards["split"], pattern)
    ]


def _find_patterns(settings: Settings, recipe: str, *, ledger: bool) -> list[str]:
    """Return the paths, with wildcards for dataset, split and shard, of what a pack is made from."""
    card = settings.recipe(recipe)
    if card["encoder"] is not None:
        stage = STAGES["encode_shard"]
        return [fill_some(stage.ledger if ledger else stage.output, recipe=recipe)]
    patterns = list_pixels(card, ledger=ledger)
    if card["audio"] is not None:
        stage = STAGES["extract_audio"]
        pattern = stage.ledger if ledger else stage.output
        patterns.append(fill_some(pattern, audio=audio_slug(card["audio"])))
    return patterns


def get_threads(settings: Settings, wildcards: Wildcards) -> int:
    """Return how many cores a pack is written with: several where image files are encoded for it."""
    image = settings.recipe(wildcards["recipe"])["pack"].get("image", "png")
    return 1 if image == "png" else 4


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return write_pack's result string."""
    place = (wildcards["dataset"], wildcards["split"], wildcards["recipe"])
    return canonical(describe_pack(settings, *place))
