"""Something-Something V2: labels.json and one JSON list of {id, label, template, ...} per split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import (
    find_file,
    find_first,
    find_labels,
    make_clip_table,
    parse_numbers,
    select_split,
)
from reelpack.lists.json_files import read_json, read_records

NAME = "sthv2"
PARTS = {"train": "train", "val": "validation", "test": "test"}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds the JSON files as `train.json` or `something-something-v2-train.json`.
        split: train, val or test (published without labels).
        options: none.

    Returns:
        See `make_clip_table`; the label name is the template without brackets, the caption what the
        person who made the clip filled in.

    Raises:
        UserError: a missing file, a malformed entry, a template that labels.json lacks.
    """
    path = _find(folder, select_split(split, PARTS, adapter=NAME))
    entries = read_json(path)
    if split == "test":
        rows = read_records(path, entries, keys={"id": (str, int)}, what="entry")
        return make_clip_table({"video": _video(rows)}, split=split, path=path)
    rows = read_records(path, entries, keys={"id": (str, int), "template": str}, what="entry")
    index = _find(folder, "labels")
    names = rows["template"].astype("str").str.replace(r"[\[\]]", "", regex=True)
    captions = [entry.get("label") for entry in entries]
    return make_clip_table(
        {
            "video": _video(rows),
            "label": find_labels(names, read_classes(index), path=path, source=index.name),
            "label_name": names,
            "caption": pd.Series(captions, index=rows.index, dtype="str"),
        },
        split=split,
        path=path,
    )


def _find(folder: Path, part: str) -> Path:
    names = [f"{part}.json", f"something-something-v2-{part}.json"]
    return find_file(folder, names, adapter=NAME)


def _video(rows: pd.DataFrame) -> pd.Series:
    return rows["id"].astype("str") + ".webm"


def read_classes(path: Path) -> dict[str, int]:
    """Return each template's label; the file gives numbers as text, from 0."""
    classes = read_json(path)
    if not isinstance(classes, dict):
        raise UserError(f"{path}: a mapping of templates to numbers wanted")
    given = pd.Series(classes, dtype="object")
    labels = parse_numbers(given, path=path, name="label")
    wrong = labels % 1 != 0
    if wrong.any():
        raise UserError(
            f"{path}: {find_first(wrong)!r}: label {given[find_first(wrong)]!r} is not a whole number"
        )
    return {str(name): int(label) for name, label in labels.items()}
