"""Own lists: from a csv, tsv, parquet or jsonl file of paths or addresses to one row per clip."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reelpack.config.suffixes import LIST_SUFFIXES
from reelpack.core.errors import ClipError, UserError
from reelpack.core.names import check_url
from reelpack.lists.list_files import (
    NUMBER_COLUMNS,
    SEPARATORS,
    TEXT_COLUMNS,
    read_column,
    read_columns,
    row_of,
)
from reelpack.lists.url_names import PLAIN_URL, name_video

LIST_COLUMNS = (
    *("path", "url", "clip_id", "start", "end", "label", "label_name", "split", "caption"),
    "captions",
)


def is_list(videos: Path) -> bool:
    """Tell a list file from a folder by its ending."""
    return videos.suffix.lower() in LIST_SUFFIXES


def read_paths(path: Path) -> list[str]:
    """Return the paths of a list, without looking at the rest of it as far as that can be helped.

    Raises:
        UserError: as `read_list` does.
    """
    try:
        names = read_column(path, "path")
        if names is None and read_column(path, "url"):
            return []
    except (pa.ArrowException, ValueError):
        names = None
    if names is None:
        # Slower, and it says in one line what is wrong.
        table = read_list(path, fetched=path.parent)
        names = table["video"].where(table["url"].isna(), "").tolist()
    return [name for name in names if name]


def read_list(path: Path, *, fetched: Path | None = None) -> pd.DataFrame:
    """Read a csv, tsv, parquet or jsonl list with a column path or url, and any of `LIST_COLUMNS`.

    Relative paths start at the list's folder, and may lead anywhere: it is the reader's own list. A
    video with an address is named by `url_names.name_video`. Where no clip_id is given it is the
    video without its ending, and for rows with a window `_{start}_{end}` behind it. The lists of
    HERO's extractor, with just the columns video_path and feature_path, are read too: a clip is
    named like its feature file, and rows that come twice count once.

    Args:
        path: the list.
        fetched: folder for the videos that only an address is given of.

    Returns:
        A frame with the columns video, path, url, start_seconds, end_seconds, label (Int64),
        label_name, caption, captions (lists, only where the list has them), split, clip_id.

    Raises:
        UserError: another ending, an unknown or missing column, a row with more fields than the
            header, a row without exactly one of path and url, an address that is not one of the web,
            a number that is not one.
    """
    if not is_list(path):
        raise UserError(f"{path}: a list must end in one of: {', '.join(LIST_SUFFIXES)}")
    table = _from_extractor(read_columns(path))
    _check_columns(table, path)
    _check_kinds(table, path)
    paths, urls = _texts(table, "path"), _texts(table, "url")
    _check_places(paths, urls, path)
    if urls.notna().any() and fetched is None:
        raise UserError(f"{path}: column 'url': nothing is fetched here; give 'path'")
    result = pd.DataFrame({"video": _videos(paths, urls)})
    result["start_seconds"] = _numbers(table, "start", path)
    result["end_seconds"] = _numbers(table, "end", path)
    result["label"] = _labels(table, path)
    for name in ("caption", "label_name", "split"):
        result[name] = _texts(table, name)
    if "captions" in table.columns:
        result["captions"] = _captions(table["captions"], result["caption"], path)
        result["caption"] = result["caption"].fillna(result["captions"].str[0].astype("str"))
    result["clip_id"] = _clip_ids(table, result["video"], path)
    result["url"] = urls
    folders = urls.isna().map({True: str(path.parent), False: str(fetched)}).tolist()
    # Not Path: a million of them takes seconds.
    result["path"] = list(map(os.path.join, folders, result["video"].tolist()))
    return result


def _from_extractor(table: pd.DataFrame) -> pd.DataFrame:
    """Return a list of HERO's extractor in this project's columns, any other list as it is.

    Source: github linjieli222/HERO_Video_Feature_Extractor, gather_video_paths.py.
    """
    if set(table.columns) != {"video_path", "feature_path"}:
        return table
    unique = table.drop_duplicates(ignore_index=True)
    files = unique["feature_path"].str.strip().str.rsplit("/", n=1).str[-1]
    return pd.DataFrame(
        {"path": unique["video_path"].str.strip(), "clip_id": files.str.removesuffix(".npz")}
    )


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    if table.empty and not len(table.columns):
        raise UserError(f"{path}: no rows in this list")
    unknown = [column for column in table.columns if column not in LIST_COLUMNS]
    if unknown or not {"path", "url"} & set(table.columns):
        problem = f"unknown column {unknown[0]!r}" if unknown else "no column 'path' or 'url'"
        raise UserError(f"{path}: {problem}; allowed: {', '.join(LIST_COLUMNS)}")
    double = table.columns[table.columns.duplicated()]
    if len(double):
        raise UserError(f"{path}: column {double[0]!r} stands there twice")
    if table.empty:
        raise UserError(f"{path}: no rows in this list")


def _check_kinds(table: pd.DataFrame, path: Path) -> None:
    """See that jsonl and parquet give texts and numbers where those belong; time spans become seconds.

    Raises:
        UserError: naming the first value that is neither.
    """
    for name in table.columns.intersection(["start", "end"]):
        if table[name].dtype.kind == "m":
            table[name] = table[name].dt.total_seconds()
    kinds = dict.fromkeys(TEXT_COLUMNS, "text") | dict.fromkeys(NUMBER_COLUMNS, "number")
    for name in table.columns.intersection(list(kinds)):
        values = table[name]
        if values.dtype == "str" or pd.api.types.is_numeric_dtype(values):
            continue
        # Of times, pandas would take the bits of missing ones for numbers.
        table[name] = values = values.astype("object").where(values.notna(), None)
        allowed = (str, int, Decimal) if kinds[name] == "text" else (str, int, float, Decimal)
        wrong = [not _is_of(value, allowed) and not _is_missing(value) for value in values.tolist()]
        if any(wrong):
            row = row_of(np.array(wrong), path)
            value = values[wrong].tolist()[0]
            raise UserError(f"{path}: row {row}: {name} {value!r:.60} is not a {kinds[name]}")


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    # Escapes of JSON can spell halves of a character, which no file can hold.
    is_broken = isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value)
    return isinstance(value, kinds) and not isinstance(value, bool) and not is_broken


def _check_places(paths: pd.Series, urls: pd.Series, path: Path) -> None:
    """See that every row says in one way where its video is.

    Raises:
        UserError: naming the first row that does not.
    """
    empty = (paths.isna() & urls.isna()) | paths.str.contains("\0", regex=False)
    if empty.any():
        row = row_of(empty.to_numpy(), path)
        raise UserError(f"{path}: row {row}: empty path, or one with a NUL character")
    double = (paths.notna() & urls.notna()).to_numpy()
    if double.any():
        row = row_of(double, path)
        raise UserError(f"{path}: row {row}: has a path and a url; allowed: one of the two")
    odd = (urls.notna() & ~urls.str.fullmatch(PLAIN_URL)).to_numpy()
    for place in np.flatnonzero(odd).tolist():
        try:
            check_url(urls.iloc[place])
        except ClipError as error:
            row = row_of(np.arange(len(urls)) == place, path)
            raise UserError(f"{path}: row {row}: {error.message}") from error


def _videos(paths: pd.Series, urls: pd.Series) -> pd.Series:
    given = urls.dropna().unique().tolist()
    names = urls.map(dict(zip(given, map(name_video, given), strict=True)))
    return paths.where(paths.notna(), names.astype("str"))


def _texts(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table.columns:
        return pd.Series(None, index=table.index, dtype="str")
    values = table[column].astype("str")
    return values.where(values != "", None)


def _numbers(
    table: pd.DataFrame, column: str, path: Path, *, kind: str = "number of seconds"
) -> pd.Series:
    if column not in table.columns:
        return pd.Series(np.nan, index=table.index)
    values = table[column].replace("", None)
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    wrong = (numbers.isna() & values.notna()).to_numpy() | np.isinf(numbers.to_numpy())
    if wrong.any():
        value = values[wrong].tolist()[0]
        raise UserError(f"{path}: row {row_of(wrong, path)}: {column} {value!r} is not a {kind}")
    return numbers


def _labels(table: pd.DataFrame, path: Path) -> pd.Series:
    numbers = _numbers(table, "label", path, kind="whole number")
    wrong = (numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**53))).to_numpy()
    if wrong.any():
        value = table["label"][wrong].tolist()[0]
        raise UserError(f"{path}: row {row_of(wrong, path)}: label {value!r} is not a whole number")
    return numbers.astype("Int64")


def _captions(values: pd.Series, caption: pd.Series, path: Path) -> pd.Series:
    """Return every row's captions as a list; a row without any has its caption alone, or none."""
    if path.suffix.lower() in SEPARATORS:
        values = pd.Series([_from_json(text) for text in values.tolist()], index=values.index)
    found: list[Any] = []
    for place, (value, single) in enumerate(zip(values.tolist(), caption.tolist(), strict=True)):
        texts = value.tolist() if isinstance(value, np.ndarray) else value
        texts = [] if not isinstance(texts, list) and _is_missing(texts) else texts
        if not isinstance(texts, list) or not all(_is_of(text, (str,)) for text in texts):
            row = row_of(np.arange(len(values)) == place, path)
            raise UserError(f"{path}: row {row}: captions {value!r:.60} is not a list of texts")
        found.append(texts or ([] if _is_missing(single) else [single]))
    return pd.Series(found, index=values.index, dtype="object")


def _from_json(text: str) -> Any:
    """Return what a cell of a text list holds, the text itself where it is not JSON."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return text


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _clip_ids(table: pd.DataFrame, video: pd.Series, path: Path) -> pd.Series:
    stems = pd.Series(
        [os.path.splitext(name)[0].lstrip("/") for name in video.tolist()],  # noqa: PTH122
        index=table.index,
        dtype="str",
    )
    for column in ("start", "end"):
        if column in table.columns:
            text = table[column].astype("str").where(table[column].notna(), "")
            if path.suffix.lower() == ".jsonl":
                # There 2 and 2.0 are one number.
                text = text.str.removesuffix(".0")
            stems = stems + text.where(text == "", "_" + text)
    if "clip_id" in table.columns:
        given = table["clip_id"].astype("str").where(table["clip_id"].notna(), "")
        return given.where(given != "", stems)
    return stems
