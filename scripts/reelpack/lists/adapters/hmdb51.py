"""HMDB51's splits: {class}_test_split{1,2,3}.txt, each line `file.avi 0|1|2` (unused, train, test)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import find_first, make_clip_table, select_split
from reelpack.lists.delimited import split_lines

NAME = "hmdb51"
USES = {
    f"{part}_{number}": (number, use)
    for number in (1, 2, 3)
    for part, use in (("train", "1"), ("test", "2"))
}
_FILE = re.compile(r"(.+)_test_split([123])\.txt")


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one part of one split over all classes.

    Args:
        folder: holds the text files of all classes.
        split: train_1 to train_3 or test_1 to test_3.
        options: none.

    Returns:
        See `make_clip_table`; a label is the class's rank among the sorted names, clip ids are
        `{class}/{file less its ending}`.

    Raises:
        UserError: no such files, a class without this split, a malformed line.
    """
    number, use = select_split(split, USES, adapter=NAME)
    classes = read_classes(folder)
    videos, labels, names = [], [], []
    for label, name in enumerate(classes):
        path = folder / f"{name}_test_split{number}.txt"
        if not path.is_file():
            raise UserError(f"{path}: adapter {NAME} needs this file; class {name!r} has others")
        listed = split_lines(path, fields=2, meaning="video.avi 0|1|2")
        wrong = ~listed[1].isin(["0", "1", "2"])
        if wrong.any():
            row = find_first(wrong)
            raise UserError(
                f"{path}: row {row}: {listed[1][row]!r} is not allowed; one of: 0, 1, 2"
            )
        chosen = name + "/" + listed[0][listed[1] == use]
        videos.append(chosen)
        labels += [label] * len(chosen)
        names += [name] * len(chosen)
    video = pd.concat(videos, ignore_index=True)
    return make_clip_table(
        {"video": video, "label": pd.Series(labels), "label_name": pd.Series(names, dtype="str")},
        split=split,
        path=folder,
    )


def read_classes(folder: Path) -> list[str]:
    """Return the class names, sorted; a name's place is its label."""
    matches = (_FILE.fullmatch(path.name) for path in folder.glob("*_test_split*.txt"))
    names = sorted({match[1] for match in matches if match})
    if not names:
        raise UserError(f"{folder}: adapter {NAME} needs CLASS_test_split1.txt and the like")
    return names
