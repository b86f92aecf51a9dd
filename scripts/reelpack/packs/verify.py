"""Check a pack against its own records: checksums of files, entries as the reader gives them.

In: a pack folder. Out: one line per difference.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.files import sha256_file
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import PackDamage, PackEntry
from reelpack.packs.publish import (
    CHECKSUMS,
    ENTRIES,
    FAILURE_COLUMNS,
    FAILURES,
    PROVENANCE,
    list_files,
    read_provenance,
)

_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
# Readers that open an LMDB folder with locks leave this file in it.
_READERS_FILES = frozenset({"lock.mdb"})


@dataclass(frozen=True)
class Verification:
    """What a check found.

    Attributes:
        differences: one line each; none when the pack is whole.
        files: how many files were compared.
        entries: how many clips the pack should hold.
        arrays: how many arrays were read back and found right.
    """

    differences: tuple[str, ...]
    files: int
    entries: int
    arrays: int


def verify_pack(folder: Path) -> Verification:
    """Reread a whole pack.

    Files with a wrong checksum are not opened: a shortened LMDB file would kill the process.

    Raises:
        UserError: the folder is not a finished pack, or its format is not known here.
    """
    pack_format, notes = read_provenance(folder)
    files, damaged, differences = _check_files(folder)
    differences.extend(_check_links(folder, notes["links"]))
    entries, arrays = 0, 0
    if ENTRIES not in damaged:
        table = _Table(folder)
        entries = table.rows
        differences.extend(table.problems)
        differences.extend(table.compare(pack_format, folder, damaged))
        arrays = table.right
        _count(differences, notes, "entries", entries)
    if FAILURES not in damaged:
        failed, problems = _failures(folder)
        differences.extend(problems)
        _count(differences, notes, "failed", failed)
    return Verification(tuple(differences), files=files, entries=entries, arrays=arrays)


def _check_files(folder: Path) -> tuple[int, set[str], list[str]]:
    """Return how many files were compared, which are missing or changed, and the differences."""
    differences: list[str] = []
    listed: dict[str, str] = {}
    damaged: set[str] = set()
    try:
        for name, digest in _checksums(folder / CHECKSUMS):
            listed[name] = digest
    except (OSError, ValueError) as error:
        differences.append(f"{CHECKSUMS}: {error}")
    present = {name for name in list_files(folder) if not (folder / name).is_symlink()}
    present -= {CHECKSUMS, PROVENANCE}
    for name in sorted(present - set(listed)):
        damaged.add(name)
        if Path(name).name not in _READERS_FILES:
            differences.append(f"{name}: not part of the pack")
    for name, digest in sorted(listed.items()):
        if name not in present:
            damaged.add(name)
            differences.append(f"{name}: missing")
        elif sha256_file(folder / name) != digest:
            damaged.add(name)
            differences.append(f"{name}: changed (its checksum differs)")
    for name in sorted({ENTRIES, FAILURES} - present - damaged):
        damaged.add(name)
        differences.append(f"{name}: missing")
    return len(listed), damaged, differences


def _checksums(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(path.read_bytes().decode().split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is not a checksum line")
        escaped, digest, name = match.groups()
        if escaped:
            name = re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found.group()], name)
        yield name, digest


def _check_links(folder: Path, links: dict[str, str]) -> list[str]:
    differences = []
    for name in list_files(folder):
        if (folder / name).is_symlink() and name not in links:
            differences.append(f"{name}: a link that is not part of the pack")
    for name, target in sorted(links.items()):
        link = folder / name
        if not link.is_symlink():
            differences.append(f"{name}: the link to {target} is missing")
        elif link.readlink() != Path(target):
            differences.append(f"{name}: links to {link.readlink()}, not to {target}")
    return differences


class _Table:
    """`entries.parquet`: which arrays must come back."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.right = 0
        self.rows = 0
        self._index: dict[str, int] = {}
        self._digests: dict[str, pa.ChunkedArray] = {}
        try:
            table = pq.read_table(folder / ENTRIES)
            ids = table["clip_id"].to_pylist()
        except (OSError, KeyError, pa.ArrowException) as error:
            self.problems.append(f"{ENTRIES}: {' '.join(str(error).split())}")
            return
        self.rows = len(ids)
        self._ids = ids
        self._index = {clip_id: row for row, clip_id in enumerate(ids)}
        for column in table.column_names:
            if column.startswith("sha256_"):
                self._digests[column.removeprefix("sha256_")] = table[column].combine_chunks()

    def compare(self, pack_format: PackFormat, folder: Path, damaged: set[str]) -> Iterator[str]:
        """Read the pack and yield one line per difference."""
        found = {name: np.zeros(self.rows, dtype=bool) for name in self._digests}
        lost: set[str | None] = set()
        for item in pack_format.read(folder, damaged=damaged):
            if isinstance(item, PackDamage):
                yield item.message
                if item.clip_id is None:
                    lost.add(item.variant)
                elif item.variant in found and item.clip_id in self._index:
                    found[item.variant][self._index[item.clip_id]] = True
            else:
                yield from self._compare(item, found)
        if None in lost:
            return
        for variant, seen in found.items():
            if variant not in lost:
                for row in np.flatnonzero(~seen).tolist():
                    yield f"{variant}: {self._ids[row]} is missing"

    def _compare(self, item: PackEntry, found: dict[str, Any]) -> Iterator[str]:
        row = self._index.get(item.clip_id)
        if row is None or item.variant not in found:
            yield f"{item.variant}: {item.clip_id} is not in {ENTRIES}"
            return
        if found[item.variant][row]:
            yield f"{item.variant}: {item.clip_id} is there twice"
        found[item.variant][row] = True
        try:
            digest = item.sha256()
        except (OSError, ValueError, EOFError) as error:
            yield f"{item.variant}: {item.clip_id}: {error}"
            return
        if self._digests[item.variant][row].as_py() == digest:
            self.right += 1
        else:
            yield f"{item.variant}: {item.clip_id} differs from what was written"


def _failures(folder: Path) -> tuple[int, list[str]]:
    try:
        with (folder / FAILURES).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        return 0, [f"{FAILURES}: {error}"]
    if not rows or tuple(rows[0]) != FAILURE_COLUMNS:
        return 0, [f"{FAILURES}: its columns are not {', '.join(FAILURE_COLUMNS)}"]
    return len(rows) - 1, []


def _count(differences: list[str], notes: dict[str, Any], kind: str, found: int) -> None:
    said = notes["counts"][kind]
    if said != found:
        differences.append(f"{PROVENANCE}: says {said} {kind}, there are {found}")
