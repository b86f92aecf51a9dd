"""Write a pack beside its place and put it there in one step.

In: finished entries and the failures of a split. Out, in the pack folder: the format's own files,
`failures.csv`, `entries.parquet`, `checksums.sha256` and `provenance.json`.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import sha256_file
from reelpack.core.results import canonical
from reelpack.core.whole_folder import replace_folder
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import Entry, PackContext, StoredEntry, digest_value
from reelpack.packs.names import SeenIds, TakenNames
from reelpack.packs.registry import get_format

FAILURES = "failures.csv"
ENTRIES = "entries.parquet"
CHECKSUMS = "checksums.sha256"
PROVENANCE = "provenance.json"
FAILURE_COLUMNS = ("clip_id", "stage", "class", "message")

_ROWS_PER_GROUP = 10_000


@dataclass(frozen=True)
class Missing:
    """The clips that a pack lacks before it is written, and how many it may lack.

    Attributes:
        failures: one row per clip that failed in an earlier stage, keys `clip_id`, `stage`,
            `class`, `message` and `order` (position in the list), in any order.
        expected: how many clips the split has; None does not check.
        max_failed: the fraction of clips that may be missing.
    """

    failures: Iterable[Mapping[str, Any]] = ()
    expected: int | None = None
    max_failed: float = 1.0


_NOTHING_MISSING = Missing()


def publish(
    folder: Path,
    pack_format: PackFormat,
    entries: Iterable[Entry],
    context: PackContext,
    *,
    provenance: Mapping[str, Any],
    missing: Missing = _NOTHING_MISSING,
) -> dict[str, int]:
    """Write a pack and put it in place of whatever lies there.

    Everything is written and synced in a folder beside `folder`; the last act is one rename of the
    whole, so that a reader meets the old pack or the new one. Leftovers of killed runs are cleared.
    Nothing else is kept in `folder`: old members, reader's caches and lock files go.

    Args:
        folder: the pack's place; made with its parents.
        pack_format: how the files are written.
        entries: the finished clips in list order.
        context: what the pack is made of.
        provenance: JSON values; no time, path or core count. `format`, `format_version`, `counts`,
            `variants` and `links` are added to it.
        missing: the clips that it lacks already.

    Returns:
        The counts: `clips`, `entries`, `failed`.

    Raises:
        UserError: the recipe does not fit the format, or too many clips are missing. The old pack
            stays.
        OSError: ENOSPC, the disk is full. The old pack stays.
        ValueError: ids repeat, or entries and failures do not add up.
    """
    pack_format.check(context)
    with replace_folder(folder) as scratch:
        counts = _write_all(
            scratch, pack_format, entries, context, failures=missing.failures, provenance=provenance
        )
        _check_counts(counts, context, missing)
    return counts


def read_provenance(folder: Path) -> tuple[PackFormat, dict[str, Any]]:
    """Return a pack's format, and what `provenance.json` says.

    Raises:
        UserError: the folder is not a finished pack, or its format is not known here.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        raise UserError(f"{folder} is not a finished pack: it has no {PROVENANCE}")
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        name, counts, links = notes["format"], notes["counts"], notes["links"]
        valid = (
            isinstance(name, str)
            and all(isinstance(counts[key], int) for key in ("entries", "failed"))
            and all(isinstance(value, str) for value in links.values())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise UserError(f"{folder} is not a pack: {PROVENANCE} is not as it was written")
    try:
        return get_format(name), dict(notes)
    except UserError as error:
        raise UserError(f"{folder}: {error}") from None


def list_files(folder: Path) -> list[str]:
    """Return the files and links below a pack, relative, sorted; links are not followed."""
    found: list[str] = []
    pending = [folder]
    while pending:
        for item in os.scandir(pending.pop()):
            if item.is_dir(follow_symlinks=False):
                pending.append(Path(item.path))
            else:
                found.append(Path(item.path).relative_to(folder).as_posix())
    return sorted(found)


def _write_all(
    scratch: Path,
    pack_format: PackFormat,
    entries: Iterable[Entry],
    context: PackContext,
    *,
    failures: Iterable[Mapping[str, Any]],
    provenance: Mapping[str, Any],
) -> dict[str, int]:
    recorder = _Recorder(pack_format, context, failures)
    with recorder.open(scratch / ENTRIES):
        pack_format.write(scratch, recorder.record(entries), context)
    pack_format.write_failed(scratch, context, recorder.list_failed())
    recorder.write_failures(scratch / FAILURES)
    links = pack_format.list_links(context)
    for link, target in links.items():
        (scratch / link).symlink_to(target, target_is_directory=True)
    _write_checksums(scratch)
    counts = recorder.count()
    notes = {
        **provenance,
        "format": pack_format.name,
        "format_version": pack_format.rules.version,
        "counts": counts,
        "variants": [variant.name for variant in context.variants],
        "links": links,
    }
    (scratch / PROVENANCE).write_text(canonical(notes) + "\n", encoding="utf-8")
    return counts


class _Recorder:
    """Watches entries go by: records the good ones in `entries.parquet`, keeps the refused."""

    def __init__(
        self,
        pack_format: PackFormat,
        context: PackContext,
        failures: Iterable[Mapping[str, Any]],
    ) -> None:
        self._format = pack_format
        self._context = context
        self._variants = [variant.name for variant in context.variants]
        self._failures = [dict(row) for row in failures]
        self._seen = SeenIds()
        for row in self._failures:
            self._seen.add(row["clip_id"])
        self._names = TakenNames()
        self._rows: list[dict[str, Any]] = []
        self._count = 0
        self._schema = pa.schema(
            [
                pa.field("clip_id", pa.string(), nullable=False),
                pa.field("order", pa.int64(), nullable=False),
                pa.field("label", pa.int64()),
                *(
                    pa.field(f"sha256_{name}", pa.string(), nullable=False)
                    for name in self._variants
                ),
            ]
        )

    def open(self, path: Path) -> Any:
        """Open the table; leaving the context finishes it."""
        self._table = pq.ParquetWriter(path, self._schema)
        return self._table

    def record(self, entries: Iterable[Entry]) -> Iterator[StoredEntry]:
        """Yield the entries that the format can hold, recording all of them."""
        last = -1
        for entry in entries:
            if entry.order <= last:
                raise ValueError(f"clip {entry.clip_id} does not come in list order")
            last = entry.order
            self._seen.add(entry.clip_id)
            try:
                stored = self._store(entry)
            except ClipError as error:
                self._refuse(entry, error)
                continue
            self._count += 1
            yield stored
            # Only now: files are digested while the format writes them.
            self._add_row(entry, stored)
        self._seen.check()
        self._flush()

    def list_failed(self) -> list[str]:
        """Return the ids of all clips that the pack lacks, in list order."""
        self._failures.sort(key=lambda row: (row["order"], row["clip_id"]))
        return [row["clip_id"] for row in self._failures]

    def count(self) -> dict[str, int]:
        """Return how many clips there were, how many went in and how many failed."""
        failed = len(self._failures)
        return {"clips": self._count + failed, "entries": self._count, "failed": failed}

    def write_failures(self, path: Path) -> None:
        """Write `failures.csv` (RFC 4180, line feeds), in list order."""
        ids = self.list_failed()
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            # The module does not quote a lone carriage return, and then reads it as a line's end.
            quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            table.writerow(FAILURE_COLUMNS)
            for clip_id, row in zip(ids, self._failures, strict=True):
                message = " ".join(str(row["message"]).split())
                writer = quoted if "\r" in clip_id else table
                writer.writerow([clip_id, row["stage"], row["class"], message])

    def _store(self, entry: Entry) -> StoredEntry:
        if set(entry.arrays) != set(self._variants):
            raise ValueError(f"clip {entry.clip_id} has crops {sorted(entry.arrays)}")
        try:
            entry.clip_id.encode()
        except UnicodeEncodeError:
            raise ClipError("pack", "the clip's id is not valid Unicode") from None
        # In the recipe's order, whatever the order in which the encoder filled the mapping.
        arrays = {name: entry.arrays[name] for name in self._variants}
        ordered = replace(entry, arrays=arrays)
        stored = self._format.store(ordered, self._context)
        name = self._format.name_clip(ordered, self._context)
        if name is not None:
            self._names.take(name)
        return stored

    def _refuse(self, entry: Entry, error: ClipError) -> None:
        self._failures.append(
            {
                "clip_id": entry.clip_id,
                "order": entry.order,
                "stage": "write_pack",
                "class": error.failure,
                "message": error.message,
            }
        )

    def _add_row(self, entry: Entry, stored: StoredEntry) -> None:
        digests = {
            f"sha256_{name}": digest_value(value, label=stored.label, notes=stored.notes)
            for name, value in stored.arrays.items()
        }
        self._rows.append(
            {"clip_id": entry.clip_id, "order": entry.order, "label": entry.label, **digests}
        )
        if len(self._rows) == _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def _check_counts(counts: Mapping[str, int], context: PackContext, missing: Missing) -> None:
    clips, failed = counts["clips"], counts["failed"]
    if missing.expected is not None and clips != missing.expected:
        raise ValueError(f"{missing.expected} clips were expected, {clips} came")
    if clips and failed / clips > missing.max_failed:
        raise UserError(
            f"{context.dataset} {context.split} {context.recipe}: {failed} of {clips} clips "
            f"failed, more than max_failed: {missing.max_failed:g} allows; the reasons are in the ledgers"
        )


def _write_checksums(folder: Path) -> None:
    """Write one line per file as `sha256sum` does, names with line breaks escaped."""
    with (folder / CHECKSUMS).open("w", encoding="utf-8", newline="") as lines:
        for name in list_files(folder):
            path = folder / name
            if name != CHECKSUMS and not path.is_symlink():
                plain = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
                mark = "" if plain == name else "\\"
                lines.write(f"{mark}{sha256_file(path)}  {plain}\n")
