"""fetch_annotations and make_manifest: where lists are, and what the tables of shards depend on."""

from __future__ import annotations

from functools import cache

from reelpack.config.settings import Settings
from reelpack.core.results import Unrecorded, canonical
from reelpack.lists.fingerprints import watched_signature
from reelpack.workflow.paths import SHARD_TABLE, Wildcards, fill_shards


def get_annotations_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return fetch_annotations' result string."""
    return canonical(settings.datasets[wildcards["dataset"]].annotations_result())


def get_made_files(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the annotation files of a dataset that a rule makes."""
    return settings.datasets[wildcards["dataset"]].made_files()


def get_access(settings: Settings, wildcards: Wildcards) -> Unrecorded:
    """Return what the card says of how to get at the data."""
    return Unrecorded(settings.datasets[wildcards["dataset"]].card.get("access", ""))


def get_list(settings: Settings, dataset: str) -> list[str]:
    """Return the file that lists a dataset; a folder is not an input, its state is a param."""
    data = settings.datasets[dataset]
    if data.is_annotated:
        return [f"resources/annotations/{dataset}.json"]
    return [data.videos] if data.is_list else []


def get_tables(settings: Settings, dataset: str, split: str) -> list[str]:
    """Return the tables of all shards of a split."""
    return fill_shards(settings, dataset, split, SHARD_TABLE)


def get_annotations_option(settings: Settings, dataset: str) -> list[str]:
    """Return the option that tells make_manifest where annotations are, if the dataset has any."""
    if not settings.datasets[dataset].is_annotated:
        return []
    return ["--annotations", f"resources/annotations/{dataset}"]


# Looking at a million videos takes a while, and each split asks for them.
_signature = cache(watched_signature)


def get_result(settings: Settings, _: Wildcards, *, dataset: str, split: str) -> str:
    """Return make_manifest's result string, with the state of own videos in it.

    Raises:
        UserError: own videos are not there.
    """
    signature = _signature(settings, dataset)
    return canonical(settings.datasets[dataset].manifest_result(split, signature=signature))
