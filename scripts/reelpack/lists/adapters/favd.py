"""FAVDBench's metadata: {split}.img.tsv `video path TAB name`, {split}.caption.tsv `key TAB json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import find_file, find_first, make_clip_table, select_split
from reelpack.lists.delimited import PLAIN_TSV, read_table

NAME = "favd"
SPLITS = {split: split for split in ("train", "val", "test")}
VIDEOS = "datasets/videos/"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """Read one split.

    Args:
        folder: holds the unpacked metadata.
        split: train, val or test.
        options: `prefix`, what stands before the video folder in the listed paths.

    Returns:
        See `make_clip_table`; video is the listed path below the prefix.

    Raises:
        UserError: a missing file, a malformed row, captions that are not in the videos' order
            (the trainer aligns both files by row).
    """
    part = select_split(split, SPLITS, adapter=NAME)
    path = find_file(folder, [f"{part}.img.tsv"], adapter=NAME)
    rows = _read(path, "video", "name")
    video = rows["video"].str.strip().str.removeprefix(str(options.get("prefix", VIDEOS)))
    captions = None
    text = folder / f"{part}.caption.tsv"
    if text.is_file():
        listed = _read(text, "key", "captions")
        _check_order(text, listed["key"], path, rows["video"])
        captions = pd.Series(
            [_captions(text, row, value) for row, value in listed["captions"].items()],
            index=rows.index,
            dtype="object",
        )
    return make_clip_table({"video": video, "captions": captions}, split=split, path=path)


def _read(path: Path, *columns: str) -> pd.DataFrame:
    return read_table(path, columns, PLAIN_TSV)


def _check_order(text: Path, keys: pd.Series, path: Path, videos: pd.Series) -> None:
    if len(keys) != len(videos):
        raise UserError(f"{text}: {len(keys)} rows, but {path.name} has {len(videos)}")
    wrong = keys.str.strip() != videos.str.strip()
    if wrong.any():
        row = find_first(wrong)
        raise UserError(
            f"{text}: row {row}: key {keys[row]!r}, but {path.name} has {videos[row]!r} there"
        )


def _captions(path: Path, row: Any, value: str) -> list[str]:
    try:
        return [str(entry["caption"]) for entry in json.loads(value)]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: row {row}: {value[:80]!r} is not a list of {{'caption': ...}}"
        ) from error
