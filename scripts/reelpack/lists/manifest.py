"""Manifests: from a folder or a list of videos to one table per split and one per shard.

Flows in: a folder, or a csv, tsv, parquet or jsonl list. Flows out: `manifest.parquet` (clip ids in
list order with their shards) and `shards/{shard}.parquet` with the rows of `CLIP_COLUMNS`. The shard
tables hold no position in the list, so a clip added in the middle changes its own shard alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from reelpack.core.errors import UserError
from reelpack.core.files import clear_leftovers
from reelpack.core.tables import write_table
from reelpack.lists.fingerprints import Fingerprints
from reelpack.lists.folders import read_folder
from reelpack.lists.own import read_list
from reelpack.lists.shard_table import SHARD_TABLE

CLIP_COLUMNS = SHARD_TABLE.schema
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


def choose_shard(video: str, shards: int) -> int:
    """Shard number of a video: SHA-256 of its name modulo the shard count, stable as lists grow."""
    digest = hashlib.sha256(video.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards


def make_manifest(
    videos: Path,
    *,
    split: str,
    by_split: bool,
    manifest: Path,
    tables: list[Path],
    fetched: Path | None = None,
) -> int:
    """Write a split's manifest and shard tables.

    Args:
        videos: folder or list.
        split: the split wanted.
        by_split: take only rows of this split; else all rows.
        manifest: `manifest.parquet` to write.
        tables: one shard table per shard to write.
        fetched: folder for the videos of a list that gives addresses.

    Returns:
        The number of clips.

    Raises:
        UserError: nothing there, a mistake in the list, clashing ids, or no row of the split.
    """
    if not (videos.is_file() or videos.is_dir()):
        raise UserError(f"{videos}: no such folder or list of videos")
    table = read_list(videos, fetched=fetched) if videos.is_file() else read_folder(videos)
    if by_split:
        found = sorted(set(table["split"].dropna()))
        table = table[table["split"] == split].reset_index(drop=True)
        if table.empty:
            raise UserError(f"{videos}: no clip of split {split!r}; splits found: {found}")
    marks = Fingerprints(manifest.parent)
    table["fingerprint"] = _take_fingerprints(table, marks)
    marks.save()
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
        [choose_shard(video, len(tables)) for video in table["video"].tolist()], dtype=np.int32
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


def _take_fingerprints(table: pd.DataFrame, marks: Fingerprints) -> list[str]:
    """Return the fingerprint of every row's file, "" where it is fetched from an address."""
    own = np.ones(len(table), dtype=bool) if "url" not in table else table["url"].isna().to_numpy()
    found = np.full(len(table), "", dtype=object)
    found[own] = marks.take(table["path"][own].tolist())
    return list(found)
