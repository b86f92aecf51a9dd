"""Annotation adapters: from a dataset's published lists to one table of clips.

Flows in: the folder with a dataset's annotation files and its card. Flows out: the table described
at `table.make_clip_table`, one row per clip in the order of the list. Adapters read only what lies in
that folder; nothing here opens a video or a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError

ADAPTERS = (
    *("bair", "cc3m", "didemo", "diving48", "favd", "hmdb51", "howto100m", "kinetics", "lsmdc"),
    *("msrvtt", "msvd", "sthv2", "tgif", "ucf101", "webvid", "youcook2"),
)


def read(
    adapter: str, folder: Path, *, split: str, options: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Read one published split.

    Args:
        adapter: one of `ADAPTERS`.
        folder: the dataset's annotation files.
        split: the split's name in those files.
        options: what the adapter's `read` documents.

    Returns:
        See `table.make_clip_table`.

    Raises:
        UserError: an unknown adapter or split, a missing or malformed file (file and row named).
    """
    if adapter not in ADAPTERS:
        raise UserError(f"no adapter {adapter!r}; one of: {', '.join(ADAPTERS)}")
    module = import_module(f".{adapter}", __name__)
    table: pd.DataFrame = module.read(folder, split=split, options=options or {})
    return table


def read_split(card: Mapping[str, Any], folder: Path, *, split: str) -> pd.DataFrame:
    """Read a split as its card defines it: the published splits of `select`, one after the other.

    Of clips with one id the first is kept.

    Args:
        card: a dataset's card.
        folder: the dataset's annotation files.
        split: a name of the card's `splits`.

    Returns:
        See `table.make_clip_table`; the column split holds this split's name.

    Raises:
        UserError: see `read`.
    """
    annotations = card["annotations"]
    parts = [
        read(annotations["adapter"], folder, split=part, options=annotations.get("options"))
        for part in card["splits"][split].get("select", [split])
    ]
    table = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    table = table.drop_duplicates("clip_id", ignore_index=True)
    table["split"] = pd.Series(split, index=table.index, dtype="str")
    return table
