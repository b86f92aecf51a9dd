"""The config's `downloads` as the sources take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from reelpack.sources.base import Limits


def read_limits(options: Mapping[str, Any]) -> Limits:
    """Return the limits that the options set; what they leave out keeps its default."""
    known = {field.name for field in fields(Limits)}
    return Limits(**{name: value for name, value in options.items() if name in known})
