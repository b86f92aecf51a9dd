"""Clips of published annotations: from a card and its lists to a split's manifest.

Flows in: the files in resources/annotations/{dataset}/ and the folders that a person filled. Flows out:
see `manifest.write_manifest`. A clip whose file lies in such a folder is used where it is; the path of
any other is where download_shard will put it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reelpack.lists.adapters import read_split
from reelpack.lists.adapters.naming import format_source_names
from reelpack.lists.fingerprints import Fingerprints
from reelpack.lists.folder_index import FolderIndex
from reelpack.lists.manifest import write_manifest

WHOLE = "{source_id}"


def make_annotated_manifest(
    params: Mapping[str, Any], *, folder: Path, manifest: Path, tables: list[Path]
) -> int:
    """Write a split's manifest and shard tables from its dataset's annotations.

    Args:
        params: make_manifest's result, see `datasets.Dataset.manifest_result`.
        folder: the annotation files.
        manifest: `manifest.parquet` to write.
        tables: one shard table per shard to write.

    Returns:
        The number of clips.

    Raises:
        UserError: a missing or malformed annotation file (file and row named), or clashing ids.
    """
    split = params["split"]
    card = {
        "annotations": params["annotations"],
        "splits": {split: {"select": params["select"]}},
    }
    table = read_split(card, folder, split=split)
    root = params["videos"]
    table["path"] = [os.path.join(root, name) for name in table["video"].tolist()]  # noqa: PTH118
    table["whole"] = False
    marks = Fingerprints(manifest.parent)
    if params["folders"] or params["is_fetched"]:
        table["fingerprint"] = ""
        for source in params["folders"]:
            _use_folder(table, source, marks, windows=params["windows"])
    else:
        table["fingerprint"] = marks.take(table["path"].tolist())
    marks.save()
    table = table.rename(columns={"start": "start_seconds", "end": "end_seconds"})
    return write_manifest(table, where=folder, manifest=manifest, tables=tables)


def _use_folder(
    table: pd.DataFrame, source: Mapping[str, Any], marks: Fingerprints, *, windows: str
) -> None:
    """Point clips that have no file yet at theirs in a folder, if it is there."""
    root = Path(source["folder"])
    if not root.is_dir():
        return
    index = FolderIndex(root)
    open_rows = table.index[table["fingerprint"] == ""]
    names = _names(table.loc[open_rows], source)
    paths = {row: index.find(name) for row, name in zip(open_rows, names, strict=True)}
    found = {row: str(path) for row, path in paths.items() if path is not None}
    if windows == "cut" and (missing := [row for row in open_rows if row not in found]):
        whole = {row: index.find(name) for row, name in _whole_names(table.loc[missing])}
        found |= {row: str(path) for row, path in whole.items() if path is not None}
        table.loc[[row for row, path in whole.items() if path is not None], "whole"] = True
    rows = list(found)
    table.loc[rows, "path"] = [found[row] for row in rows]
    table.loc[rows, "fingerprint"] = marks.take([found[row] for row in rows])


def _names(table: pd.DataFrame, source: Mapping[str, Any]) -> list[str]:
    pattern = source.get("naming", "{video}")
    return format_source_names(pattern, table, where=f"folder {source['folder']}: naming").tolist()


def _whole_names(table: pd.DataFrame) -> Iterable[tuple[Any, str]]:
    """Yield the names that the longer videos would have, where the source's id is known."""
    known = table["source_id"].dropna()
    return zip(known.index, known.tolist(), strict=True)
