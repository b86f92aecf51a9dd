"""MSR-VTT: videodatainfo JSON with `videos` (split, category, url, times) and `sentences`."""

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
    parse_windows,
)
from reelpack.lists.delimited import read_table
from reelpack.lists.json_files import read_json, read_records

NAME = "msrvtt"
WHOLE = ("MSRVTT_data.json", "videodatainfo_2017.json")
PARTS = ("train_val_videodatainfo.json", "test_videodatainfo.json")
SPLITS = ("train", "validate", "test")
VIDEO_KEYS: dict[str, Any] = {
    "video_id": str,
    "category": int,
    "url": str,
    "start time": (int, float),
    "end time": (int, float),
    "split": str,
}


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """Read one split.

    Args:
        folder: holds one JSON file with all videos, or one for train and validate and one for test.
        split: train, validate, test, or a name of `lists`.
        options: `lists`, further splits: {name: csv file with a column video_id}. Where such a file
            has a column sentence, that is the only caption.

    Returns:
        See `make_clip_table`; label is the category (0 to 19), start and end are seconds of the YouTube
        video, captions are in the order of the file.

    Raises:
        UserError: a missing file, a malformed entry, a sentence or a listed id without its video.
    """
    lists: Mapping[str, str] = options.get("lists", {})
    if split not in SPLITS and split not in lists:
        allowed = ", ".join([*SPLITS, *lists])
        raise UserError(f"adapter {NAME}: no split {split!r}; one of: {allowed}")
    path, videos = _read_videos(folder)
    if split in SPLITS:
        videos = videos[videos["split"] == split]
    else:
        path, videos = _listed(folder / lists[split], videos)
    start, end = parse_windows(videos["start time"], videos["end time"], path=path)
    return make_clip_table(
        {
            "video": videos["video_id"] + ".mp4",
            "source_id": videos["url"].str.extract(r"[?&]v=([\w-]+)", expand=False),
            "url": videos["url"],
            "start": start,
            "end": end,
            "label": videos["category"],
            "captions": videos["captions"],
        },
        split=split,
        path=path,
    )


def _read_videos(folder: Path) -> tuple[Path, pd.DataFrame]:
    whole = next((folder / name for name in WHOLE if (folder / name).is_file()), None)
    paths = [whole] if whole else [folder / name for name in PARTS if (folder / name).is_file()]
    if not paths:
        find_file(folder, [*WHOLE, *PARTS], adapter=NAME)
    return paths[0], pd.concat([_read_file(path) for path in paths])


def _read_file(path: Path) -> pd.DataFrame:
    data = read_json(path)
    if not isinstance(data, dict):
        raise UserError(f"{path}: a mapping with videos and sentences wanted")
    videos = read_records(path, data.get("videos"), keys=VIDEO_KEYS, what="video")
    sentences = read_records(
        path, data.get("sentences"), keys={"video_id": str, "caption": str}, what="sentence"
    )
    strange = ~sentences["video_id"].isin(videos["video_id"])
    if strange.any():
        row = find_first(strange)
        raise UserError(f"{path}: sentence {row}: no video {sentences['video_id'][row]!r}")
    videos["captions"] = videos["video_id"].map(
        group_captions(sentences["video_id"], sentences["caption"])
    )
    return videos


def _listed(path: Path, videos: pd.DataFrame) -> tuple[Path, pd.DataFrame]:
    find_file(path.parent, [path.name], adapter=NAME)
    rows = read_table(path, ("video_id",))
    known = videos.drop_duplicates("video_id").set_index("video_id", drop=False)
    strange = ~rows["video_id"].isin(known.index)
    if strange.any():
        row = find_first(strange)
        raise UserError(f"{path}: row {row}: no video {rows['video_id'][row]!r}")
    chosen = known.loc[rows["video_id"]].set_index(rows.index)
    if "sentence" in rows.columns:
        captions = group_captions(rows["video_id"], rows["sentence"])
        chosen["captions"] = rows["video_id"].map(captions)
    return path, chosen
