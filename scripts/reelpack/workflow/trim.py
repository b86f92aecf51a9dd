"""trim_shard: how clips come about, and where those lie that are cut."""

from __future__ import annotations

from reelpack.config.settings import Settings
from reelpack.core.results import Unrecorded, canonical
from reelpack.workflow.paths import Wildcards


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return trim_shard's result string."""
    return canonical(settings.datasets[wildcards["dataset"]].trim_result())


def get_threads(settings: Settings, wildcards: Wildcards) -> int:
    """Return how many clips are cut at a time; windows alone cost nothing."""
    return 1 if settings.datasets[wildcards["dataset"]].trim == "virtual" else 8


def get_journal(_: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the folder of finished clips: where files lie is not part of the result."""
    place = "results/{dataset}/{split}/journal/trim_shard/{shard}"
    return Unrecorded(place.format(**wildcards))


def get_folder(_: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return the folder of clips that are cut out."""
    return Unrecorded(f"resources/clips/{wildcards['dataset']}")
