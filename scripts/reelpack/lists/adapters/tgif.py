"""TGIF: tgif-v1.0.tsv with lines `url TAB sentence`, and one list of URLs per split."""

from __future__ import annotations

from collections.abc import Mapping
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
from reelpack.lists.delimited import PLAIN_TSV, read_lines, read_table

NAME = "tgif"
LISTS = {split: f"{split}.txt" for split in ("train", "val", "test")}
SENTENCES = "tgif-v1.0.tsv"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split.

    Args:
        folder: holds the lists and tgif-v1.0.tsv.
        split: train, val or test.
        options: none.

    Returns:
        See `make_clip_table`; files are named as in their URL, with the folder before it where two
        URLs end alike.

    Raises:
        UserError: a missing file, a malformed row, a URL without a sentence.
    """
    path = find_file(folder, [select_split(split, LISTS, adapter=NAME)], adapter=NAME)
    text = find_file(folder, [SENTENCES], adapter=NAME)
    urls = read_lines(path)
    rows = read_table(text, ("url", "sentence"), PLAIN_TSV)
    captions = urls.map(group_captions(rows["url"].str.strip(), rows["sentence"].str.strip()))
    if captions.isna().any():
        row = find_first(captions.isna())
        raise UserError(f"{path}: row {row}: {text.name} has no sentence of {urls[row]!r}")
    return make_clip_table(
        {"video": name_videos(urls), "url": urls, "captions": captions}, split=split, path=path
    )


def name_videos(urls: pd.Series) -> pd.Series:
    """Return the last part of each URL, or the last two where different URLs share it."""
    parts = urls.str.rsplit("/", n=2)
    names = parts.str[-1]
    distinct = pd.DataFrame({"url": urls, "name": names}).drop_duplicates("url")["name"]
    shared = names.isin(distinct[distinct.duplicated()])
    return names.where(~shared, parts.str[-2] + "/" + names)
