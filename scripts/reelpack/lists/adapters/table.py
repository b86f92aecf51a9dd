"""The table that every adapter returns, and the checks that all of them share.

Flows in: columns as an adapter found them; their index is the row in the file, as an editor counts,
so that errors can name it. Flows out: one frame with `COLUMNS`, one row per clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from reelpack.core.errors import UserError
from reelpack.core.names import NAME_BYTES, is_too_long

COLUMNS: dict[str, Any] = {
    "clip_id": "str",
    "video": "str",
    "source_id": "str",
    "url": "str",
    "start": "float64",
    "end": "float64",
    "label": "Int64",
    "label_name": "str",
    "caption": "str",
    "captions": "object",
    "record": "Int64",
    "split": "str",
}
T = TypeVar("T")
YOUTUBE = "https://www.youtube.com/watch?v="
_UNSAFE = (
    r"[\x00-\x1f\x7f\\]"  # control characters, and what other systems take for a slash
    r"|(?:^|/)\.{0,2}(?:/|$)"  # empty, "." and ".." parts, a leading or trailing slash
    r"|^[A-Za-z]:"
)


def find_file(folder: Path, names: Sequence[str], *, adapter: str) -> Path:
    """Return the first of these files that the folder has.

    Raises:
        UserError: none is there; names them all.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder}: adapter {adapter} needs {' or '.join(names)}; there is none")


def make_clip_table(
    columns: Mapping[str, pd.Series | None], *, split: str, path: Path
) -> pd.DataFrame:
    """Return an adapter's columns as the common table, with names checked.

    Of rows with one clip id the first is kept, as VIMPAC does when it joins lists.

    Args:
        columns: `video` and any other of `COLUMNS`; a missing `clip_id` is `video` without ending.
        split: what to write into `split`.
        path: file named in errors.

    Returns:
        A frame with all of `COLUMNS`: clip_id; video, the file below the dataset's video folder;
        source_id, its id at the place it comes from; url; start and end in seconds; label from 0,
        label_name; caption, the first of captions (a list); record, the number (from 1) of a clip
        in a file of many; split. Missing values are NA or NaN.

    Raises:
        UserError: a name that cannot be a file below a folder, or no rows.
    """
    video = columns["video"]
    if video is None or video.empty:
        raise UserError(f"{path}: no clips of split {split!r}")
    given = {"clip_id": drop_endings(video), **columns}
    captions = given.get("captions")
    if captions is not None:
        given["caption"] = captions.str[0]
    table = pd.DataFrame(index=video.index)
    for name, dtype in COLUMNS.items():
        values = given.get(name)
        empty = pd.Series([None] * len(video), index=video.index, dtype=dtype)
        table[name] = empty if values is None else values.astype(dtype)
    table["split"] = pd.Series(split, index=video.index, dtype="str")
    for name in ("video", "clip_id"):
        _check_names(table[name], name, path)
    return table.drop_duplicates("clip_id", ignore_index=True)


def _check_names(names: pd.Series, column: str, path: Path) -> None:
    wrong = mark_unsafe(names)
    if wrong.any():
        raise UserError(
            f"{path}: row {find_first(wrong)}: {column} {names[wrong].iloc[0]!r} cannot be a path below a"
            " folder; allowed: no control characters or backslashes, no empty, '.' or '..' parts,"
            f" at most {NAME_BYTES} bytes a part"
        )


def mark_unsafe(names: pd.Series) -> pd.Series:
    """Mark names that are missing, could lead out of a folder, or are too long for a file."""
    wrong = names.isna() | names.fillna("").str.contains(_UNSAFE, regex=True)
    # A character takes up to four bytes, so only long names need counting.
    long = names.str.len().fillna(0) > NAME_BYTES // 4
    if long.any():
        wrong |= long & names.fillna("").map(is_too_long)
    return wrong


def drop_endings(names: pd.Series) -> pd.Series:
    """Return paths less their last ending; dots of folders stay."""
    # No look-behind: Arrow's regular expressions have none, and Python's take seconds for a million.
    return names.str.replace(r"([^/])\.[^./]*$", r"\1", regex=True)


def find_first(mask: pd.Series) -> Any:
    """Return the row of the first true value."""
    return mask.index[int(np.argmax(mask.to_numpy(dtype=bool)))]


def parse_numbers(values: pd.Series, *, path: Path, name: str) -> pd.Series:
    """Return a column as float64.

    Raises:
        UserError: a value that is not a finite number.
    """
    result = _parsed(values)
    wrong = ~(result.abs() < np.inf)
    if wrong.any():
        found = values[wrong].iloc[0]
        raise UserError(f"{path}: row {find_first(wrong)}: {name} {found!r} is not a number")
    return result


def _parsed(values: pd.Series) -> pd.Series:
    if values.dtype != "str":
        return pd.to_numeric(values, errors="coerce").astype("float64")
    # Texts repeat (seconds in a million rows): parse each once.
    distinct = values.drop_duplicates()
    parsed = pd.to_numeric(distinct, errors="coerce").astype("float64")
    return values.map(dict(zip(distinct, parsed, strict=True))).astype("float64")


def parse_windows(start: pd.Series, end: pd.Series, *, path: Path) -> tuple[pd.Series, pd.Series]:
    """Return both columns as seconds.

    An end before its start stays: it costs its clip (a ledger row when windows are cut), not the
    dataset.

    Raises:
        UserError: a value that is not a finite number.
    """
    return parse_numbers(start, path=path, name="start"), parse_numbers(end, path=path, name="end")


def find_labels(
    names: pd.Series, classes: Mapping[str, int], *, path: Path, source: str
) -> pd.Series:
    """Return the label (Int64) of each class name.

    Raises:
        UserError: a name that the list of classes (`source`) does not have.
    """
    labels = names.map(dict(classes))
    wrong = labels.isna()
    if wrong.any():
        raise UserError(
            f"{path}: row {find_first(wrong)}: class {names[wrong].iloc[0]!r} is not one of the"
            f" {len(classes)} in {source}"
        )
    return labels.astype("Int64")


def select_split(split: str, known: Mapping[str, T], *, adapter: str) -> T:
    """Return what belongs to a split.

    Raises:
        UserError: an unknown split; lists those there are.
    """
    if split not in known:
        raise UserError(f"adapter {adapter}: no split {split!r}; one of: {', '.join(known)}")
    return known[split]


def group_captions(keys: pd.Series, captions: pd.Series) -> pd.Series:
    """Return a list of captions for each key, keys and captions in the order they first appear."""
    return captions.groupby(keys, sort=False).agg(list)
