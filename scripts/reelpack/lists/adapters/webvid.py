"""WebVid's csv lists: videoid, contentUrl, duration, page_dir, name; also for lists of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.lists.adapters.table import find_file, make_clip_table, select_split
from reelpack.lists.delimited import Layout, read_table

NAME = "webvid"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """Read one split.

    Args:
        folder: holds the csv files.
        split: a name of `files`.
        options: `files`: {split: csv file}.

    Returns:
        See `make_clip_table`; files are `{page_dir}/{videoid}.mp4`, without page_dir `{videoid}.mp4`.

    Raises:
        UserError: a missing file or column, a malformed row.
    """
    files: Mapping[str, str] = options.get("files", {})
    path = find_file(folder, [select_split(split, files, adapter=NAME)], adapter=NAME)
    rows = read_table(path, ("videoid", "contentUrl", "name"), Layout(newlines=True))
    video = rows["videoid"].str.strip() + ".mp4"
    if "page_dir" in rows.columns:
        video = video.where(rows["page_dir"] == "", rows["page_dir"] + "/" + video)
    return make_clip_table(
        {
            "video": video,
            "source_id": rows["videoid"].str.strip(),
            "url": rows["contentUrl"],
            "caption": rows["name"],
        },
        split=split,
        path=path,
    )
