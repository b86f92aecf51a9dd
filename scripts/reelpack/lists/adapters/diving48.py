"""Diving48 V2: JSON lists of {vid_name, label, start_frame, end_frame} and the vocabulary of dives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import find_file, find_first, make_clip_table, select_split
from reelpack.lists.json_files import read_json, read_records

NAME = "diving48"
FILES = {"train": "Diving48_V2_train.json", "test": "Diving48_V2_test.json"}
VOCABULARY = "Diving48_vocab.json"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds both lists and, if label names are wanted, the vocabulary.
        split: train or test.
        options: none.

    Returns:
        See `make_clip_table`; a label name joins the four parts of its dive with "+".

    Raises:
        UserError: a missing file, a malformed entry, a label outside the vocabulary.
    """
    path = find_file(folder, [select_split(split, FILES, adapter=NAME)], adapter=NAME)
    rows = read_records(path, read_json(path), keys={"vid_name": str, "label": int}, what="entry")
    names = None
    if (folder / VOCABULARY).is_file():
        dives = read_vocabulary(folder / VOCABULARY)
        wrong = ~rows["label"].between(0, len(dives) - 1)
        if wrong.any():
            row = find_first(wrong)
            raise UserError(
                f"{path}: entry {row}: label {rows['label'][row]}; allowed: 0 to {len(dives) - 1}"
            )
        names = rows["label"].map(dict(enumerate(dives)))
    return make_clip_table(
        {"video": rows["vid_name"] + ".mp4", "label": rows["label"], "label_name": names},
        split=split,
        path=path,
    )


def read_vocabulary(path: Path) -> list[str]:
    """Return the names of the dives in the order of their labels."""
    dives = read_json(path)
    if not isinstance(dives, list) or not all(
        isinstance(dive, list) and all(isinstance(part, str) for part in dive) for dive in dives
    ):
        raise UserError(f"{path}: a list of lists of words wanted")
    return ["+".join(dive) for dive in dives]
