"""The measures of a recipe's codes, as measure_codes wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelpack.report.pictures import Picture, load_picture


@dataclass(frozen=True)
class Measured:
    """What a page shows of a recipe's measures.

    Attributes:
        values: the JSON object, see `reelpack.lvt.measures.split.measure_split`.
        picture: its sheet, None where it cannot be read.
    """

    values: dict[str, Any]
    picture: Picture | None

    @property
    def clips(self) -> int:
        """How many clips were compared."""
        return len(self.values["reconstruction"]["clips"])


def read_measures(path: Path) -> Measured | None:
    """Read `results/{dataset}/{split}/measures/{recipe}.json`; None where there is no good one."""
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return Measured(values, load_picture(path.with_suffix(".png")))
