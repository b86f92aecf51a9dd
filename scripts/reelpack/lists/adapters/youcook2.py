"""YouCook2: JSON `database` of videos with recipe_type, subset, video_url and timed annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import (
    YOUTUBE,
    find_file,
    make_clip_table,
    parse_windows,
    select_split,
)
from reelpack.lists.json_files import read_json, read_records

NAME = "youcook2"
TRAINVAL = "youcookii_annotations_trainval.json"
FILES = {
    "training": TRAINVAL,
    "validation": TRAINVAL,
    "testing": "youcookii_annotations_test_segments_only.json",
}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """Read one split, a clip per annotated segment.

    Args:
        folder: holds the JSON files under their published names.
        split: training, validation or testing (no sentences).
        options: none.

    Returns:
        See `make_clip_table`; clip ids are `{youtube id}_{segment}`, label is the recipe's number as
        published, start and end are seconds in the file.

    Raises:
        UserError: a missing file, a malformed video or segment.
    """
    path = find_file(folder, [select_split(split, FILES, adapter=NAME)], adapter=NAME)
    rows = _segments(path, split)
    start, end = parse_windows(rows["start"], rows["end"], path=path)
    return make_clip_table(
        {
            "clip_id": rows["video"] + "_" + rows["id"].astype("str"),
            "video": rows["video"] + ".mp4",
            "source_id": rows["video"],
            "url": YOUTUBE + rows["video"],
            "start": start,
            "end": end,
            "label": rows["label"],
            "caption": rows["sentence"],
        },
        split=split,
        path=path,
    )


def _segments(path: Path, split: str) -> pd.DataFrame:
    data = read_json(path)
    database = data.get("database") if isinstance(data, dict) else None
    if not isinstance(database, dict):
        raise UserError(f"{path}: a mapping with a mapping 'database' wanted")
    found: dict[str, list[Any]] = {
        "place": [], "video": [], "label": [], "id": [], "start": [], "end": [], "sentence": []
    }  # fmt: skip
    for video, entry in database.items():
        if not isinstance(entry, dict):
            raise UserError(f"{path}: video {video!r}: not a mapping")
        if entry.get("subset") != split:
            continue
        recipe = str(entry.get("recipe_type", ""))
        if not recipe.isdigit():
            raise UserError(f"{path}: video {video!r}: recipe_type {recipe!r} is not a number")
        segments = read_records(
            path,
            entry.get("annotations"),
            keys={"id": int, "segment": list},
            what=f"video {video!r}: segment",
        )
        for segment in entry["annotations"][: len(segments)]:
            times = segment["segment"]
            if len(times) != 2:
                raise UserError(
                    f"{path}: video {video!r}: segment {segment['id']}: {times!r} is not a pair"
                )
            values = (f"{video}: {segment['id']}", video, int(recipe), segment["id"])
            for key, value in zip(found, (*values, *times, segment.get("sentence")), strict=True):
                found[key].append(value)
    rows = pd.DataFrame(found).set_index("place")
    return rows.astype({"video": "str", "sentence": "str"})
