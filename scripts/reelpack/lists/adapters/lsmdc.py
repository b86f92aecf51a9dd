"""LSMDC 2016: tab-separated lines clip, start and end aligned, start and end extracted, sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import (
    find_file,
    find_first,
    group_captions,
    make_clip_table,
    select_split,
)
from reelpack.lists.delimited import PLAIN_TSV, read_table

NAME = "lsmdc"
FILES = {
    "train": "LSMDC16_annos_training.csv",
    "val": "LSMDC16_annos_val.csv",
    "test": "LSMDC16_annos_test.csv",
    "blindtest": "LSMDC16_annos_blindtest.csv",
    "test_1k": "LSMDC16_challenge_1000_publictect.csv",
}
COLUMNS = (
    *("clip", "start_aligned", "end_aligned", "start_extracted", "end_extracted", "sentence"),
)
_STAMP = r"\d+\.\d+\.\d+\.\d+"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds the csv files under their published names.
        split: train, val, test, blindtest (no sentences) or test_1k.
        options: none.

    Returns:
        See `make_clip_table`; one row per clip with all its sentences, files are
        `{movie}/{clip}.avi`, start and end are seconds of the movie.

    Raises:
        UserError: a missing file, a malformed row or time stamp.
    """
    path = find_file(folder, [select_split(split, FILES, adapter=NAME)], adapter=NAME)
    columns = COLUMNS[:-1] if split == "blindtest" else COLUMNS
    rows = read_table(path, columns, replace(PLAIN_TSV, encoding=_find_encoding(path)))
    clip = rows["clip"].str.strip()
    movie = clip.str.extract(rf"^(.+)_{_STAMP}-{_STAMP}$", expand=False)
    if movie.isna().any():
        row = find_first(movie.isna())
        raise UserError(f"{path}: row {row}: {clip[row]!r} is not '<movie>_<start>-<end>'")
    captions = None
    if "sentence" in rows.columns:
        captions = clip.map(group_captions(clip, rows["sentence"].str.strip()))
    return make_clip_table(
        {
            "video": movie + "/" + clip + ".avi",
            "clip_id": movie + "/" + clip,
            "start": parse_stamps(rows["start_extracted"], path),
            "end": parse_stamps(rows["end_extracted"], path),
            "captions": captions,
        },
        split=split,
        path=path,
    )


def _find_encoding(path: Path) -> str:
    # The published files are not all UTF-8: some sentences hold Windows' quotes and dashes.
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def parse_stamps(stamps: pd.Series, path: Path) -> pd.Series:
    """Return stamps `hh.mm.ss.mmm` as seconds.

    Raises:
        UserError: a stamp of another form.
    """
    parts = stamps.str.strip().str.extract(r"^(\d+)\.(\d+)\.(\d+)\.(\d{3})$")
    wrong = parts[0].isna()
    if wrong.any():
        row = find_first(wrong)
        raise UserError(f"{path}: row {row}: {stamps[row]!r} is not a time stamp 'hh.mm.ss.mmm'")
    hours, minutes, whole, thousandths = (parts[column].astype("int64") for column in range(4))
    return ((hours * 60 + minutes) * 60 + whole) + thousandths / 1000
