"""Conceptual Captions: a tsv without header, `caption TAB url`; images, clips of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.lists.adapters.table import find_file, make_clip_table, select_split
from reelpack.lists.delimited import PLAIN_TSV, read_table

NAME = "cc3m"
FILES = {
    "train": ("Train_GCC-training.tsv", "Train-GCC-training.tsv", "GCC-training.tsv"),
    "val": (
        "Validation_GCC-1.1.0-Validation.tsv",
        "Validation-GCC-1.1.0-Validation.tsv",
        "GCC-1.1.0-Validation.tsv",
    ),
}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds the tsv files under one of their published names.
        split: train or val.
        options: none.

    Returns:
        See `make_clip_table`; files are `{split}/{n:07d}.jpg`, n the place in the list from 0. The
        list gives no ids, and one URL stands in several rows with other captions.

    Raises:
        UserError: a missing file, a row of other than two values.
    """
    path = find_file(folder, select_split(split, FILES, adapter=NAME), adapter=NAME)
    rows = read_table(path, ("caption", "url"), PLAIN_TSV)
    places = pd.Series(range(len(rows)), index=rows.index).astype("str").str.zfill(7)
    return make_clip_table(
        {
            "video": f"{split}/" + places + ".jpg",
            "url": rows["url"].str.strip(),
            "caption": rows["caption"],
        },
        split=split,
        path=path,
    )
