"""HowTo100M_v1.csv: video_id, category_1, category_2, rank, task_id; whole YouTube videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.lists.adapters.table import YOUTUBE, find_file, make_clip_table, select_split
from reelpack.lists.delimited import read_table

NAME = "howto100m"
FILES = {"train_val": "HowTo100M_v1.csv"}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read the list.

    Args:
        folder: holds HowTo100M_v1.csv.
        split: train_val, VIMPAC's name for all of it.
        options: none.

    Returns:
        See `make_clip_table`; no labels, the label name is WikiHow's highest category ("" for none).

    Raises:
        UserError: a missing file or column, a malformed row.
    """
    path = find_file(folder, [select_split(split, FILES, adapter=NAME)], adapter=NAME)
    rows = read_table(path, ("video_id",))
    return make_clip_table(
        {
            "video": rows["video_id"] + ".mp4",
            "source_id": rows["video_id"],
            "url": YOUTUBE + rows["video_id"],
            "label_name": rows.get("category_1"),
        },
        split=split,
        path=path,
    )
