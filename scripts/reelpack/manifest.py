"""Manifests: from a folder or a list of videos to one table per split and one per shard.

Flows in: a folder, or a csv, tsv or parquet list. Flows out: `manifest.parquet` (clip ids in list
order with their shards) and `shards/{shard}.parquet` with the rows of `CLIP_COLUMNS`. The shard tables
hold no position in the list, so a clip added in the middle changes its own shard alone.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from .datasets import LIST_SUFFIXES
from .errors import UserError
from .files import clear_leftovers
from .tables import write_table

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *(
            "3gp",
            "asf",
            "avi",
            "flv",
            "gif",
            "m2ts",
            "m4p",
            "m4v",
            "mkv",
            "mov",
            "mp4",
            "mpeg",
            "mpg",
        ),
        *("mpv", "mts", "ogg", "ogv", "qt", "swf", "ts", "vob", "webm", "wmv"),
    )
)
LIST_COLUMNS = ("path", "clip_id", "start", "end", "label", "split", "caption")
CLIP_COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video", pa.string()),
        ("path", pa.string()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
        ("label", pa.int64()),
        ("caption", pa.string()),
        ("fingerprint", pa.string()),
        ("label_name", pa.string()),
        ("source_id", pa.string()),
        ("url", pa.string()),
        ("record", pa.int64()),
        ("whole", pa.bool_()),
    ]
)
MANIFEST_COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("shard", pa.int32()),
        ("video", pa.string()),
        ("label", pa.int64()),
        ("label_name", pa.string()),
        ("caption", pa.string()),
        ("captions", pa.list_(pa.string())),
    ]
)
_SAMPLE_BYTES = 1 << 16
_GROUP = 1024


def is_list(videos: Path) -> bool:
    """Tell a list file from a folder by its ending."""
    return videos.suffix.lower() in LIST_SUFFIXES


def walk_videos(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the video files below a folder in sorted order, as `walk_files` does."""
    for entry in walk_files(folder):
        if Path(entry.name).suffix.lower() in VIDEO_SUFFIXES:
            yield entry


def walk_files(
    folder: Path, *, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder in sorted order, hidden ones left out.

    Links are followed, but not back to a folder that they lie in.

    Args:
        folder: where to look.
        above: device and inode of the folders on the way here.
    """
    stat = folder.stat()
    here = (stat.st_dev, stat.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                yield from walk_files(Path(entry.path), above=above | {here})
            else:
                yield entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry raises for a link to itself, where isdir says no.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112


def signature(videos: Path, *, all_files: bool = False) -> str:
    """Return a digest over name, size and time of own videos, without opening one.

    It changes when a video is added, removed, replaced or touched; make_manifest then looks closer.

    Args:
        videos: folder or list.
        all_files: of a folder, count files of every kind.
    """
    digest = hashlib.sha256()
    if videos.is_dir():
        for entry in walk_files(videos) if all_files else walk_videos(videos):
            digest.update(_stat_line(entry.path))
    elif videos.is_file():
        for name in _listed_names(videos):
            digest.update(_stat_line(os.path.join(videos.parent, name)))  # noqa: PTH118
    return digest.hexdigest()[:32]


def _listed_names(path: Path) -> list[str]:
    """Return a list's column path alone, in a tenth of a second for a million rows."""
    separator = LIST_SUFFIXES.get(path.suffix.lower())
    try:
        if separator is None:
            names = pq.read_table(path, columns=["path"])["path"].to_pylist()
        else:
            wanted = arrow_csv.ConvertOptions(
                include_columns=["path"], column_types={"path": pa.string()}
            )
            layout = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)
            table = arrow_csv.read_csv(path, parse_options=layout, convert_options=wanted)
            names = table["path"].to_pylist()
    except (pa.ArrowInvalid, KeyError):
        # Slower, and it says in one line what is wrong.
        names = read_list(path)["video"].tolist()
    return [str(name or "") for name in names]


def _stat_line(path: str) -> bytes:
    try:
        stat = os.stat(path)  # noqa: PTH116 - a million times, so without building a Path
    except (OSError, ValueError):
        return os.fsencode(path) + b"\0missing\n"
    return os.fsencode(path) + f"\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode()


def fingerprint(path: str) -> str:
    """Return a short digest of a file's size and three samples of its bytes; "" when it is missing.

    The whole file is hashed when the shard is downloaded; this one only has to notice that a file
    was replaced, and that a touched one was not.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            size = os.fstat(stream.fileno()).st_size
            digest = hashlib.sha256(str(size).encode())
            for start in (0, (size - _SAMPLE_BYTES) // 2, size - _SAMPLE_BYTES):
                stream.seek(max(start, 0))
                digest.update(stream.read(_SAMPLE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()[:16]


def read_folder(folder: Path) -> pd.DataFrame:
    """List a folder of videos.

    The clip id is the path below the folder without its ending; where two files differ only in their
    ending, both keep it.

    Returns:
        A frame with the columns clip_id, video, path, split (the first folder), sorted by path.
    """
    files = [Path(entry.path).relative_to(folder) for entry in walk_videos(folder)]
    for path in files:
        if not _is_unicode(str(path)):
            raise UserError(
                f"{folder}: file name {os.fsencode(path)!r} is not UTF-8 text; rename the file"
            )
    if not files:
        endings = " ".join(sorted(VIDEO_SUFFIXES))
        raise UserError(f"{folder}: no videos in this folder (endings: {endings})")
    names = pd.Series([path.as_posix() for path in files], dtype="str")
    stems = pd.Series([path.with_suffix("").as_posix() for path in files], dtype="str")
    clash = stems.duplicated(keep=False)
    return pd.DataFrame(
        {
            "clip_id": stems.where(~clash, names),
            "video": names,
            "path": [str(folder / path) for path in files],
            "split": [path.parts[0] if len(path.parts) > 1 else None for path in files],
        }
    )


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_list(path: Path) -> pd.DataFrame:
    """Read a csv, tsv or parquet list with a column path and any of `LIST_COLUMNS`.

    Relative paths start at the list's folder. Where no clip_id is given it is the path as listed
    without its ending, and for rows with a window `_{start}_{end}` behind it.

    Raises:
        UserError: another ending, an unknown or missing column, a row with more fields than the
            header, an empty path, a number that is none.
    """
    if not is_list(path):
        raise UserError(f"{path}: a list must end in one of: {', '.join(LIST_SUFFIXES)}")
    table = _read_table(path)
    table.columns = [str(column).strip() for column in table.columns]
    if "url" in table.columns:
        raise UserError(f"{path}: column 'url': lists of URLs cannot be read yet; give 'path'")
    unknown = [column for column in table.columns if column not in LIST_COLUMNS]
    if unknown or "path" not in table.columns:
        problem = f"unknown column {unknown[0]!r}" if unknown else "no column 'path'"
        raise UserError(f"{path}: {problem}; allowed: {', '.join(LIST_COLUMNS)}")
    if table.empty:
        raise UserError(f"{path}: no rows in this list")
    listed = table["path"].astype("str")
    empty = table["path"].isna() | (listed == "") | listed.str.contains("\0", regex=False)
    if empty.any():
        row = _row(empty.to_numpy(), path)
        raise UserError(f"{path}: row {row}: empty path, or one with a NUL character")
    result = pd.DataFrame({"video": listed})
    result["start_seconds"] = _numbers(table, "start", path)
    result["end_seconds"] = _numbers(table, "end", path)
    result["label"] = _labels(table, path)
    result["caption"] = _texts(table, "caption")
    result["split"] = _texts(table, "split")
    result["clip_id"] = _clip_ids(table, listed)
    folder = str(path.parent)
    result["path"] = [os.path.join(folder, name) for name in listed.tolist()]  # noqa: PTH118
    return result


def _read_table(path: Path) -> pd.DataFrame:
    separator = LIST_SUFFIXES[path.suffix.lower()]
    try:
        if separator is None:
            return pd.DataFrame(pq.read_table(path).to_pandas(ignore_metadata=True))
        table = pd.read_csv(
            path, sep=separator, dtype="str", keep_default_na=False, encoding="utf-8-sig"
        )
    except (ValueError, pa.ArrowInvalid, pd.errors.ParserError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    # Pandas takes the first fields for row names when every row has more of them than the header.
    if not isinstance(table.index, pd.RangeIndex):
        raise UserError(
            f"{path}: the rows have more fields than the header ({', '.join(table.columns)});"
            " put texts that hold the separator in double quotes"
        )
    return table


def _row(mask: np.ndarray, path: Path) -> int:
    """Number of the first row marked; in text lists the line on which an editor shows it."""
    number = int(np.argmax(mask))
    separator = LIST_SUFFIXES[path.suffix.lower()]
    if separator is None:
        return number + 1
    line, seen = 1, -1
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, delimiter=separator)
        for row in rows:
            # As pandas does it: blank lines count as lines, not as rows.
            seen += any(cell.strip() for cell in row) or len(row) > 1
            if seen == number + 1:
                break
            line = rows.line_num + 1
    return line


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
        value = values[wrong].iloc[0]
        raise UserError(f"{path}: row {_row(wrong, path)}: {column} {value!r} is no {kind}")
    return numbers


def _labels(table: pd.DataFrame, path: Path) -> pd.Series:
    numbers = _numbers(table, "label", path, kind="whole number")
    wrong = (numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() > 2**53))).to_numpy()
    if wrong.any():
        value = table["label"][wrong].iloc[0]
        raise UserError(f"{path}: row {_row(wrong, path)}: label {value!r} is no whole number")
    return numbers.astype("Int64")


def _clip_ids(table: pd.DataFrame, listed: pd.Series) -> pd.Series:
    # Not Path: a million of them takes seconds.
    stems = pd.Series(
        [os.path.splitext(name)[0].lstrip("/") for name in listed.tolist()],  # noqa: PTH122
        index=table.index,
        dtype="str",
    )
    for column in ("start", "end"):
        if column in table.columns:
            text = table[column].astype("str").where(table[column].notna(), "")
            stems = stems + text.where(text == "", "_" + text)
    if "clip_id" in table.columns:
        given = table["clip_id"].astype("str").where(table["clip_id"].notna(), "")
        return given.where(given != "", stems)
    return stems


def check_ids(table: pd.DataFrame, where: Path) -> None:
    """Refuse clip ids that clash or cannot be names.

    Raises:
        UserError: naming the first id, and how many more there are.
    """
    ids = table["clip_id"]
    double = ids.duplicated(keep=False)
    if double.any():
        first = ids[double].iloc[0]
        paths = ", ".join(table["path"][ids == first].head(3))
        raise UserError(
            f"{where}: clip id {first!r} stands for {int((ids == first).sum())} rows ({paths});"
            f" ids must differ ({int(ids.duplicated().sum())} rows too many in all);"
            f" {_cure(where)}"
        )
    bad = ids.str.contains(r"[\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)|^/|//|/$|^$", regex=True)
    if bad.any():
        raise UserError(
            f"{where}: clip id {ids[bad].iloc[0]!r} is not allowed: no control characters,"
            f" no empty, '.' or '..' parts; {_cure(where)}"
        )


def _cure(where: Path) -> str:
    return "rename the files" if where.is_dir() else "give a column clip_id"


def shard_of(video: str, shards: int) -> int:
    """Shard number of a video: SHA-256 of its name modulo the shard count, stable as lists grow."""
    digest = hashlib.sha256(video.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards


def make_manifest(
    videos: Path, *, split: str, by_split: bool, manifest: Path, tables: list[Path]
) -> int:
    """Write a split's manifest and shard tables.

    Args:
        videos: folder or list.
        split: the split wanted.
        by_split: take only rows of this split; else all rows.
        manifest: `manifest.parquet` to write.
        tables: one shard table per shard to write.

    Returns:
        The number of clips.

    Raises:
        UserError: nothing there, clashing ids, or no row of the split.
    """
    if not videos.exists():
        raise UserError(f"{videos}: no such folder or list of videos")
    table = read_list(videos) if videos.is_file() else read_folder(videos)
    if by_split:
        found = sorted(set(table["split"].dropna()))
        table = table[table["split"] == split].reset_index(drop=True)
        if table.empty:
            raise UserError(f"{videos}: no clip of split {split!r}; splits found: {found}")
    table["fingerprint"] = fingerprints(table["path"].tolist())
    return write_manifest(table, where=videos, manifest=manifest, tables=tables)


def write_manifest(
    table: pd.DataFrame, *, where: Path, manifest: Path, tables: Sequence[Path]
) -> int:
    """Write a split's clips as its manifest and shard tables.

    Args:
        table: the clips in list order, with any of `CLIP_COLUMNS` and `captions`.
        where: what they were read from, for errors.
        manifest: `manifest.parquet` to write.
        tables: one shard table per shard to write.

    Returns:
        The number of clips.

    Raises:
        UserError: clashing ids, or ids that cannot be names.
    """
    check_ids(table, where)
    numbers = np.array(
        [shard_of(video, len(tables)) for video in table["video"].tolist()], dtype=np.int32
    )
    full = table.reindex(columns=CLIP_COLUMNS.names)
    by_shard = full.iloc[np.argsort(numbers, kind="stable")]
    ends = np.cumsum(np.bincount(numbers, minlength=len(tables)))
    clear_leftovers(manifest)
    for leftover in tables[0].parent.glob(".*.parquet.*.tmp"):
        leftover.unlink(missing_ok=True)
    for target, start, end in zip(tables, [0, *ends[:-1]], ends, strict=True):
        write_table(by_shard.iloc[start:end], CLIP_COLUMNS, target)
    table["shard"] = numbers
    if "captions" not in table.columns:
        table["captions"] = [[] if text is None else [text] for text in _none(full["caption"])]
    write_table(table.reindex(columns=MANIFEST_COLUMNS.names), MANIFEST_COLUMNS, manifest)
    return len(full)


def _none(texts: pd.Series) -> list[str | None]:
    """Return texts with None for every missing one."""
    return texts.astype("object").where(texts.notna(), None).tolist()


def fingerprints(paths: Sequence[str]) -> list[str]:
    """Return the fingerprint of each file, "" for one that is missing."""
    # Threads, since file systems over a network are slow to answer; in groups, since handing out a
    # task costs more than a file.
    groups = [paths[start : start + _GROUP] for start in range(0, len(paths), _GROUP)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda group: [fingerprint(path) for path in group], groups)
        return [one for group in found for one in group]
