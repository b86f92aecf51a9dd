"""report and audits: what there should be, and the state of all that they look at."""

from __future__ import annotations

from pathlib import Path

from reelpack.config.settings import Settings
from reelpack.core.results import canonical
from reelpack.report.asked import (
    digest_downloads,
    digest_results,
    request_audit,
    request_report,
)
from reelpack.workflow import manifest
from reelpack.workflow.paths import Wildcards, list_splits


def get_asked(settings: Settings) -> str:
    """Return what config.yaml asks for, as the report reads it."""
    return canonical(request_report(settings, Path()))


def get_report_state(_: Settings, __: Wildcards) -> str:
    """Return the state of all that a report reads: with other results it is another report."""
    return digest_results(Path())


def get_audit_asked(settings: Settings, dataset: str) -> str:
    """Return what there should be of a dataset, as JSON."""
    return request_audit(settings.datasets[dataset]).to_json()


def get_audit_state(settings: Settings, wildcards: Wildcards, *, dataset: str) -> str:
    """Return the state of a dataset's downloads and of own videos: with another one it is another audit."""
    lists = [
        manifest.get_result(settings, wildcards, dataset=dataset, split=split)
        for _, split in list_splits(settings, [dataset])
    ]
    return canonical([digest_downloads(Path("results") / dataset), *lists])
