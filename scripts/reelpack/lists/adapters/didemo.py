"""DiDeMo: JSON lists of moments {annotation_id, video, description, times, num_segments}.

Time is counted in pieces of five seconds; `times` holds what each annotator marked, first and last
piece. The same video is listed under several endings (.mov here, .mp4 there), so a video's name
here is what stands before the ending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import (
    drop_endings,
    find_file,
    group_captions,
    make_clip_table,
    select_split,
)
from reelpack.lists.delimited import PLAIN_TSV, read_table
from reelpack.lists.json_files import read_json, read_records

NAME = "didemo"
FILES = {split: f"{split}_data.json" for split in ("train", "val", "test")}
HASHES = "yfcc100m_hash.txt"
PIECE_SECONDS = 5.0
SHOWN_SECONDS = 30.0
UNITS = ("moments", "videos")
MIRROR = "https://multimedia-commons.s3-us-west-2.amazonaws.com/data/videos/mp4/"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:
    """Read one split.

    Args:
        folder: holds the JSON lists and, if URLs are wanted, yfcc100m_hash.txt.
        split: train, val or test.
        options: `unit`: moments (default), a clip per description with its window; or videos, a
            clip per video with all its descriptions and the 30 s that annotators saw.

    Returns:
        See `make_clip_table`; start and end are seconds in the file. A moment's window is the one that
        most annotators marked, the first of these where they tie.

    Raises:
        UserError: a missing file, a malformed entry, an unknown unit.
    """
    unit = options.get("unit", UNITS[0])
    if unit not in UNITS:
        raise UserError(f"adapter {NAME}: unit {unit!r}; one of: {', '.join(UNITS)}")
    path = find_file(folder, [select_split(split, FILES, adapter=NAME)], adapter=NAME)
    keys: dict[str, Any] = {"annotation_id": int, "video": str, "description": str, "times": list}
    rows = read_records(path, read_json(path), keys=keys, what="entry")
    name = drop_endings(rows["video"].astype("str"))
    columns: dict[str, pd.Series | None] = {
        "video": name + ".mp4",
        "source_id": name.str.split("_").str[1],
        "url": _urls(folder / HASHES, name),
    }
    if unit == "videos":
        columns["start"] = pd.Series(0.0, index=rows.index)
        columns["end"] = pd.Series(SHOWN_SECONDS, index=rows.index)
        columns["captions"] = name.map(group_captions(name, rows["description"].str.strip()))
    else:
        pieces = [choose_pieces(times, path, row) for row, times in rows["times"].items()]
        columns["clip_id"] = name + "_" + rows["annotation_id"].astype("str")
        columns["start"] = pd.Series([first for first, _ in pieces], rows.index) * PIECE_SECONDS
        columns["end"] = pd.Series([last + 1 for _, last in pieces], rows.index) * PIECE_SECONDS
        columns["captions"] = rows["description"].str.strip().map(lambda text: [text])
    return make_clip_table(columns, split=split, path=path)


def choose_pieces(times: list[Any], path: Path, row: Any) -> tuple[int, int]:
    """Return the first and last piece that most annotators marked.

    Raises:
        UserError: no pairs of numbers.
    """
    try:
        pairs = [(int(begin), int(end)) for begin, end in times]
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: entry {row}: times {times!r} are not pairs of numbers") from error
    if not pairs:
        raise UserError(f"{path}: entry {row}: nobody marked a time")
    return Counter(pairs).most_common(1)[0][0]


def _urls(path: Path, names: pd.Series) -> pd.Series | None:
    """URLs of the Multimedia Commons copies, which are named by a hash; NA for what it lacks."""
    if not path.is_file():
        return None
    rows = read_table(path, ("id", "hash"), PLAIN_TSV)
    known = rows.drop_duplicates("id").set_index("id")["hash"].str.strip()
    digest = names.str.split("_").str[1].map(known)
    return MIRROR + digest.str[:3] + "/" + digest.str[3:6] + "/" + digest + ".mp4"
