"""`clips.jsonl`: which clip lies where, one JSON object per line, for formats whose files cannot say it.

Keys: `clip_id`, `label`, `notes` (as in `StoredEntry`), and what the format adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from reelpack.core.results import canonical
from reelpack.packs.base import StoredEntry

LISTING = "clips.jsonl"


class Listing:
    """Writes the file, line by line."""

    def __init__(self, folder: Path) -> None:
        self._file: TextIO = (folder / LISTING).open("w", encoding="utf-8", newline="")

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, entry: StoredEntry, **more: Any) -> None:
        """Add a clip with what else the format must know of it, JSON values."""
        row = {
            "clip_id": entry.clip_id,
            "label": entry.label,
            "notes": dict(entry.notes),
            **more,
        }
        self._file.write(canonical(row) + "\n")


def read_listing(folder: Path, keys: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows in their order.

    Args:
        folder: the pack.
        keys: what the format added, and of which type.

    Raises:
        ValueError: a line is none that `Listing` writes.
    """
    wanted: dict[str, Any] = {"clip_id": str, "label": int | None, "notes": dict, **keys}
    with (folder / LISTING).open(encoding="utf-8", newline="") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            if (
                not isinstance(row, dict)
                or row.keys() != wanted.keys()
                or not all(isinstance(row[key], kind) for key, kind in wanted.items())
            ):
                raise ValueError(f"line {number} is not as it was written")
            yield row
