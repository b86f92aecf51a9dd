"""fetch_weights: where a file of weights comes from, and what it must be."""

from __future__ import annotations

from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_weights
from reelpack.core.results import canonical
from reelpack.workflow.paths import Wildcards


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return what identifies a weights file."""
    return canonical(describe_weights(settings, wildcards["weights"]))


def get_entry(settings: Settings, wildcards: Wildcards) -> str:
    """Return where a weights file comes from and what its checksum must be, as JSON."""
    name = wildcards["weights"]
    entry = settings.registry[name]
    where = {"url": entry.url, "path": str(entry.path or "")}
    return canonical({**describe_weights(settings, name), **where})


def get_local_file(settings: Settings, wildcards: Wildcards, *, checked: bool) -> list[str]:
    """Return the local file that the config names for these weights, if any.

    Args:
        settings: the config.
        wildcards: weights.
        checked: whether to give one whose checksum is known, or one whose time alone can tell that it
            changed.
    """
    path = settings.weights_path(wildcards["weights"])
    is_checked = bool(settings.registry[wildcards["weights"]].sha256)
    return [path] if path is not None and is_checked == checked else []
