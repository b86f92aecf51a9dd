"""BAIR robot pushing: tfrecords of sequences of 30 frames, 64 x 64; the files are the list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import ClipError, UserError
from reelpack.lists.adapters.table import make_clip_table, select_split
from reelpack.video.tfrecord import count_records

NAME = "bair"
SPLITS = {split: split for split in ("train", "test")}
ENDING = ".tfrecords"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """List the sequences of one split, without reading frames.

    Args:
        folder: holds train/*.tfrecords and test/*.tfrecords.
        split: train or test.
        options: none.

    Returns:
        See `make_clip_table`; record is a sequence's number in its file from 1, clip ids are
        `{split}/{file less ".tfrecords"}/{record}`.

    Raises:
        UserError: no such files, or a damaged one.
    """
    part = select_split(split, SPLITS, adapter=NAME)
    paths = sorted((folder / part).glob(f"*{ENDING}"))
    if not paths:
        raise UserError(f"{folder / part}: adapter {NAME} needs *{ENDING}; there is none")
    try:
        counts = [count_records(path) for path in paths]
    except ClipError as error:
        raise UserError(error.message) from error
    names = pd.Series([f"{part}/{path.name}" for path in paths], dtype="str")
    video = names.repeat(counts).reset_index(drop=True)
    record = video.groupby(video, sort=False).cumcount() + 1
    stem = video.str.removesuffix(ENDING)
    return make_clip_table(
        {"clip_id": stem + "/" + record.astype("str"), "video": video, "record": record},
        split=split,
        path=folder / part,
    )
