"""fetch_archives and download_shard: which sources serve what, and how they are asked."""

from __future__ import annotations

import os
from pathlib import Path

from reelpack.config.datasets import Archives
from reelpack.config.settings import Settings
from reelpack.config.stages import describe_result
from reelpack.core.results import Unrecorded, canonical
from reelpack.jobs.pool import WORKER_BYTES
from reelpack.jobs.retries import read_retries
from reelpack.workflow.paths import SHARD_TABLE, Wildcards, fill_shards, list_splits


def get_options(settings: Settings, _: Wildcards) -> Unrecorded:
    """Return how to download; another way of it runs nothing again."""
    return Unrecorded(canonical(settings.download_options()))


def get_limits(settings: Settings, _: Wildcards) -> Unrecorded:
    """Return what videos may ask of the machine; another limit runs nothing again."""
    limits = settings.config["limits"]
    return Unrecorded(canonical({key: limits[key] for key in limits if key != "worker_bytes"}))


def export_worker_limit(settings: Settings) -> None:
    """Have the workers of all jobs keep to the config's `limits.worker_bytes`; no job's result knows it."""
    if "worker_bytes" in settings.config["limits"]:
        os.environ[WORKER_BYTES] = str(settings.config["limits"]["worker_bytes"])


def get_archives_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return fetch_archives' result string."""
    data = settings.datasets[wildcards["dataset"]]
    return canonical(data.archives_result(_find_archives(settings, wildcards)))


def get_archives_tables(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the shard tables of the splits that an archives source serves."""
    served = _find_archives(settings, wildcards).source
    return [
        path
        for name, split in list_splits(settings, [wildcards["dataset"]])
        if split in served.get("splits", [split])
        for path in fill_shards(settings, name, split, SHARD_TABLE)
    ]


def _find_archives(settings: Settings, wildcards: Wildcards) -> Archives:
    found = settings.datasets[wildcards["dataset"]].archives()
    return next(each for each in found if each.number == int(wildcards["source"]))


def get_unpacked(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the indexes of all archives that a split's clips may come from."""
    return [
        f"resources/archives/{wildcards['dataset']}/{each.number}/{part}.json"
        for each in settings.datasets[wildcards["dataset"]].archives(wildcards["split"])
        for part in range(each.parts)
    ]


def get_sources(settings: Settings, wildcards: Wildcards) -> str:
    """Return where videos that are not here come from, "" for own videos."""
    data = settings.datasets[wildcards["dataset"]]
    sources = data.fetched_sources(wildcards["split"])
    return canonical({"sources": sources, "windows": data.windows}) if sources else ""


def get_result(_: Settings, __: Wildcards) -> str:
    """Return download_shard's result string."""
    return canonical(describe_result("download_shard", {}))


def get_retries(_: Settings, wildcards: Wildcards) -> str:
    """Return how often failures of a shard were to be retried, as JSON; for every job of a shard."""
    path = Path(f"results/{wildcards['dataset']}/{wildcards['split']}/retries.json")
    return read_retries(path, wildcards["shard"])
