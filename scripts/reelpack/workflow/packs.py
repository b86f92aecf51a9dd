"""write_pack: the shards and ledgers that a pack is made from."""

from __future__ import annotations

from reelpack.config.recipes import audio_slug
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_pack
from reelpack.config.stages import STAGES
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.frames import is_one_pass
from reelpack.workflow.paths import Wildcards, fill_folders, fill_shards, fill_some, list_pixels


def get_shards(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the shards that a pack is made from."""
    return _fill(settings, wildcards, ledger=False)


def get_ledgers(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the ledgers of the shards that a pack is made from."""
    return _fill(settings, wildcards, ledger=True)


def get_folders(settings: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the folders of the shards that a pack is made from, as JSON: both modes give the same."""
    patterns = _find_patterns(settings, wildcards, ledger=False)
    return Unrecorded(canonical(fill_folders(patterns, wildcards)))


def get_content(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return names of what a pack holds: the folders of its encoded or staged shards, whatever the mode."""
    patterns = _list_patterns(settings, wildcards["recipe"], ledger=False)
    return fill_folders(patterns, wildcards)


def _fill(settings: Settings, wildcards: Wildcards, *, ledger: bool) -> list[str]:
    return [
        path
        for pattern in _find_patterns(settings, wildcards, ledger=ledger)
        for path in fill_shards(settings, wildcards["dataset"], wildcards["split"], pattern)
    ]


def _find_patterns(settings: Settings, wildcards: Wildcards, *, ledger: bool) -> list[str]:
    """Return the paths, with wildcards for dataset, split and shard, of what a pack is made from."""
    one_pass = is_one_pass(settings, wildcards)
    return _list_patterns(settings, wildcards["recipe"], ledger=ledger, one_pass=one_pass)


def _list_patterns(
    settings: Settings, recipe: str, *, ledger: bool, one_pass: bool = False
) -> list[str]:
    card = settings.recipe(recipe)
    if card["encoder"] is not None:
        return [_fill_stage("encode_shard", ledger=ledger, recipe=recipe)]
    if one_pass:
        patterns = [_fill_stage("encode_images", ledger=ledger, recipe=recipe)]
    else:
        patterns = list_pixels(card, ledger=ledger)
    if card["audio"] is not None:
        slug = audio_slug(card["audio"])
        patterns.append(_fill_stage("extract_audio", ledger=ledger, audio=slug))
    return patterns


def _fill_stage(name: str, *, ledger: bool, **names: str) -> str:
    stage = STAGES[name]
    return fill_some(stage.ledger if ledger else stage.output, **names)


def get_threads(settings: Settings, wildcards: Wildcards) -> int:
    """Return how many cores a pack is written with: several where image files are encoded for it."""
    image = settings.recipe(wildcards["recipe"])["pack"].get("image", "png")
    return 1 if image == "png" or is_one_pass(settings, wildcards) else 4


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return write_pack's result string."""
    place = (wildcards["dataset"], wildcards["split"], wildcards["recipe"])
    return canonical(describe_pack(settings, *place))
