"""measure_codes: the clips and staged frames that codes are compared with."""

from __future__ import annotations

from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_measures
from reelpack.config.stages import STAGES
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.paths import Wildcards, fill_folders, fill_shards, list_pixels


def get_clips(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the clip tables of a split."""
    pattern = STAGES["trim_shard"].output
    return fill_shards(settings, wildcards["dataset"], wildcards["split"], pattern)


def get_pixels(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the staged shards of a split that a recipe's codes are compared with."""
    return [
        path
        for pattern in _find_patterns(settings, wildcards)
        for path in fill_shards(settings, wildcards["dataset"], wildcards["split"], pattern)
    ]


def get_folders(settings: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the folders of these staged shards, as JSON: both modes measure the same."""
    folders = fill_folders(_find_patterns(settings, wildcards), wildcards)
    return Unrecorded(canonical(folders))


def _find_patterns(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the paths, still with wildcards, of a recipe's staged shards; none when streamed."""
    card = settings.recipe(wildcards["recipe"])
    return list_pixels(card) if card["mode"] == "staged" else []


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return measure_codes' result string."""
    place = (wildcards["dataset"], wildcards["split"], wildcards["recipe"])
    return canonical(describe_measures(settings, *place))
