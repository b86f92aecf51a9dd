"""UCF101's recognition task: classInd.txt (labels from 1), trainlist01..03.txt, testlist01..03.txt."""

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
    select_split,
)
from reelpack.lists.delimited import read_lines, split_lines

NAME = "ucf101"
LISTS = {
    f"{part}_{number}": f"{part}list{number:02d}.txt"
    for number in (1, 2, 3)
    for part in ("train", "test")
}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one of the six lists.

    Args:
        folder: holds the seven text files.
        split: train_1 to train_3 or test_1 to test_3.
        options: none.

    Returns:
        See `make_clip_table`; labels count from 0, clip ids are `{class}/{file less its ending}`.

    Raises:
        UserError: a missing file, a malformed line, an unknown class, or a label in a training
            list that is not the class's.
    """
    path = find_file(folder, [select_split(split, LISTS, adapter=NAME)], adapter=NAME)
    index = find_file(folder, ["classInd.txt"], adapter=NAME)
    classes = read_classes(index)
    if split.startswith("train"):
        listed = split_lines(path, fields=2, meaning="Class/video.avi label")
        video, numbers = listed[0], listed[1]
    else:
        video, numbers = read_lines(path), None
    name = video.str.split("/").str[0]
    label = find_labels(name, classes, path=path, source=index.name)
    if numbers is not None:
        wrong = numbers != (label + 1).astype("str")
        if wrong.any():
            row = find_first(wrong)
            raise UserError(
                f"{path}: row {row}: label {numbers[row]!r}; {index.name} has {label[row] + 1}"
            )
    return make_clip_table(
        {"video": video, "label": label, "label_name": name}, split=split, path=path
    )


def read_classes(path: Path) -> dict[str, int]:
    """Return each class's label, from 0.

    Raises:
        UserError: a line that is not `number name`, or numbers that are not 1, 2, 3 ...
    """
    listed = split_lines(path, fields=2, meaning="number ClassName")
    for expected, (row, number) in enumerate(listed[0].items(), start=1):
        if number != str(expected):
            raise UserError(f"{path}: row {row}: class number {number!r}; {expected} wanted")
    return {name: label for label, name in enumerate(listed[1])}
