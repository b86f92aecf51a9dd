"""Result versions and the canonical result strings that decide what is run again.

A stage's version is raised by hand when its *results* change, never for a refactoring. The string of a
stage holds its version and just the settings it depends on, so two runs with equal strings and equal
inputs give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

STAGE_VERSIONS: dict[str, int] = {
    "fetch_annotations": 1,
    "make_manifest": 2,
    "fetch_archives": 1,
    "download_shard": 1,
    "trim_shard": 1,
    "extract_frames": 1,
    "crop_frames": 1,
    "extract_audio": 1,
    "train_vqvae": 1,
    "import_vqvae": 1,
    "encode_group": 1,
    "encode_shard": 1,
    "write_pack": 1,
    "train_transformer": 1,
    "import_transformer": 1,
    "generate_videos": 1,
    "measure_codes": 1,
}


def canonical(value: Any) -> str:
    """Return one JSON text per value: sorted keys, no spaces, UTF-8 as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def result(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stage's result depends on; its canonical JSON is the result string.

    Args:
        stage: a key of `STAGE_VERSIONS`.
        settings: the slice of recipe, card and checksums that the stage's result depends on.
    """
    return {"stage": stage, "version": STAGE_VERSIONS[stage], **settings}


def digest(*parts: Any) -> str:
    """Return 32 hexadecimal digits of the SHA-256 over the canonical JSON of `parts`."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:32]


class Unrecorded:
    """A text for a job that changes nothing about its result.

    Snakemake compares the params of jobs that are of built-in types alone; this is none, so that
    another proxy or another number of connections runs nothing again.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text
