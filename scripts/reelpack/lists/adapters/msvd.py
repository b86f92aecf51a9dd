"""MSVD: lists of clip names, and AllVideoDescriptions.txt with lines `name caption`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import (
    YOUTUBE,
    find_file,
    find_first,
    group_captions,
    make_clip_table,
    parse_windows,
    select_split,
)
from reelpack.lists.delimited import read_lines

NAME = "msvd"
LISTS = {split: f"{split}_list.txt" for split in ("train", "val", "test")}
CAPTIONS = "AllVideoDescriptions.txt"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds the three lists and AllVideoDescriptions.txt.
        split: train, val or test.
        options: none.

    Returns:
        See `make_clip_table`; start and end, seconds of the YouTube video, stand in the names
        `{youtube id}_{start}_{end}`.

    Raises:
        UserError: a missing file, a name of another form, a clip without captions.
    """
    path = find_file(folder, [select_split(split, LISTS, adapter=NAME)], adapter=NAME)
    text = find_file(folder, [CAPTIONS], adapter=NAME)
    names = read_lines(path)
    parts = names.str.extract(r"^(?P<id>.+)_(?P<start>\d+)_(?P<end>\d+)$")
    wrong = parts["id"].isna()
    if wrong.any():
        row = find_first(wrong)
        raise UserError(f"{path}: row {row}: {names[row]!r} is not '<youtube id>_<start>_<end>'")
    start, end = parse_windows(parts["start"], parts["end"], path=path)
    captions = names.map(read_captions(text))
    if captions.isna().any():
        row = find_first(captions.isna())
        raise UserError(f"{path}: row {row}: {text.name} has no caption of {names[row]!r}")
    return make_clip_table(
        {
            "clip_id": names,
            "video": names + ".avi",
            "source_id": parts["id"],
            "url": YOUTUBE + parts["id"],
            "start": start,
            "end": end,
            "captions": captions,
        },
        split=split,
        path=path,
    )


def read_captions(path: Path) -> pd.Series:
    """Return the captions of each clip name; comments (#) and empty lines are skipped.

    Raises:
        UserError: a line without a caption.
    """
    lines = read_lines(path)
    lines = lines[~lines.str.startswith("#")]
    parts = lines.str.extract(r"^(\S+)\s+(.+)$")
    wrong = parts[0].isna()
    if wrong.any():
        raise UserError(f"{path}: row {find_first(wrong)}: {lines[wrong].iloc[0]!r} has no caption")
    return group_captions(parts[0], parts[1])
