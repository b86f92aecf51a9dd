"""Canonical texts and digests of values: what result strings and keys are made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Return one JSON text per value: sorted keys, no spaces, UTF-8 as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: Any) -> str:
    """Return 32 hexadecimal digits of the SHA-256 over the canonical JSON of `parts`."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:32]


class Unrecorded:
    """A text for a job that changes nothing about its result.

    Snakemake compares the params of jobs that are of built-in types alone; this is not one, so
    another proxy or another number of connections runs nothing again.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text
