"""Kinetics csv lists: label, youtube_id, time_start, time_end, split, is_cc (test: no label).

A label is the rank of the class among the sorted names of the training list, blanks being
underscores while sorting, as MMAction2's list builder counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.lists.adapters.naming import format_names
from reelpack.lists.adapters.table import (
    YOUTUBE,
    find_file,
    find_labels,
    make_clip_table,
    parse_windows,
    select_split,
)
from reelpack.lists.delimited import read_table

NAME = "kinetics"
FILES = {
    "train": ("train.csv", "kinetics_train.csv"),
    "val": ("validate.csv", "val.csv", "kinetics_val.csv"),
    "test": ("test.csv", "kinetics_test.csv"),
}
COLUMNS = ("youtube_id", "time_start", "time_end")
NAMING = "{class_folder}/{youtube_id}_{start:06d}_{end:06d}.mp4"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """Read one split.

    Args:
        folder: holds the csv files, under DeepMind's, CVDF's or MMAction2's names.
        split: train, val or test.
        options: `naming`, the pattern of published file names; fields: class_folder (blanks are
            underscores), label (as listed), youtube_id, start, end, duration. Clips without a
            label lie directly below the root.

    Returns:
        See `make_clip_table`; start and end are seconds of the YouTube video.

    Raises:
        UserError: a missing file, a malformed row, or a class that the training list lacks.
    """
    path = find_file(folder, select_split(split, FILES, adapter=NAME), adapter=NAME)
    rows = read_table(path, COLUMNS)
    start, end = parse_windows(rows["time_start"], rows["time_end"], path=path)
    fields = {
        "youtube_id": rows["youtube_id"],
        "start": start,
        "end": end,
        "duration": end - start,
    }
    pattern = str(options.get("naming", NAMING))
    where = f"adapter {NAME}: naming"
    columns: dict[str, pd.Series | None] = {
        "source_id": rows["youtube_id"],
        "url": YOUTUBE + rows["youtube_id"],
        "start": start,
        "end": end,
    }
    names = rows["label"].str.replace('"', "") if "label" in rows.columns else None
    if names is None or (names == "").all():
        columns["video"] = format_names(pattern.rsplit("/", 1)[-1], fields, where=where)
    else:
        folders = names.str.replace(" ", "_")
        fields = {"class_folder": folders, "label": names, **fields}
        columns["video"] = format_names(pattern, fields, where=where)
        columns["label"] = _find_ranks(folders, rows, path)
        columns["label_name"] = names
    return make_clip_table(columns, split=split, path=path)


def _find_ranks(folders: pd.Series, rows: pd.DataFrame, path: Path) -> pd.Series:
    """Return the rank of each clip's class among those of the training list."""
    train = find_file(path.parent, FILES["train"], adapter=NAME)
    listed = rows if train == path else read_table(train, ("label",))
    return find_labels(folders, rank_classes(listed["label"]), path=path, source=train.name)


def rank_classes(labels: pd.Series) -> dict[str, int]:
    """Return each class's label, keyed by its name with underscores."""
    names = {name.replace('"', "").replace(" ", "_") for name in labels.drop_duplicates()}
    return {name: rank for rank, name in enumerate(sorted(names))}
