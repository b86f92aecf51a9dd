"""weights.tsv: where published weights come from and what their checksums are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reelpack.core.errors import UserError

COLUMNS = ("name", "url", "sha256", "licence", "note")


@dataclass(frozen=True)
class WeightsEntry:
    """One row of the registry.

    Attributes:
        name: what recipes call it.
        url: published address.
        sha256: 64 hexadecimal digits, or "" where none is published.
        licence: under which the weights are given.
        note: anything a user should know.
        path: a local file to take instead of `url`.
    """

    name: str
    url: str
    sha256: str
    licence: str
    note: str
    path: Path | None = None


def load_registry(
    path: Path, *, overrides: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, WeightsEntry]:
    """Read weights.tsv; lines that start with # are comments.

    Args:
        path: tab-separated file with the columns name, url, sha256, licence, note.
        overrides: per name, any of `path`, `url` and `sha256` to use instead. A file from elsewhere
            must still have the registry's checksum, unless the override gives its own.

    Raises:
        UserError: names the file and line of a bad row, or the override that fits no row.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: the registry of weights is missing") from None
    numbered = [(n, row) for n, row in enumerate(lines, 1) if row.strip() and row[0] != "#"]
    if not numbered or tuple(numbered[0][1].split("\t")) != COLUMNS:
        raise UserError(f"{path}: the first row must be the columns {', '.join(COLUMNS)}")
    entries: dict[str, WeightsEntry] = {}
    for number, row in numbered[1:]:
        entry = _entry(row, where=f"{path}:{number}")
        if entry.name in entries:
            raise UserError(f"{path}:{number}: {entry.name} is there twice")
        entries[entry.name] = entry
    for name, changes in (overrides or {}).items():
        entries[name] = _overridden(entries, name, changes)
    return entries


def _entry(row: str, *, where: str) -> WeightsEntry:
    fields = row.split("\t")
    if len(fields) != len(COLUMNS):
        raise UserError(f"{where}: {len(fields)} fields instead of {len(COLUMNS)}")
    name, url, sha256, licence, note = fields
    if not name or not url:
        raise UserError(f"{where}: name and url must not be empty")
    _check_sum_text(sha256, where=where)
    return WeightsEntry(name, url, sha256, licence, note)


def _overridden(
    entries: Mapping[str, WeightsEntry], name: str, changes: Mapping[str, str]
) -> WeightsEntry:
    where = f"config: weights.{name}"
    if name not in entries:
        raise UserError(f"{where}: unknown weights; allowed: {', '.join(sorted(entries))}")
    if unknown := sorted(set(changes) - {"path", "url", "sha256"}):
        raise UserError(f"{where}.{unknown[0]}: unknown key; allowed: path, url, sha256")
    old = entries[name]
    sha256 = changes.get("sha256", old.sha256)
    _check_sum_text(sha256, where=where)
    return replace(
        old,
        url=changes.get("url", old.url),
        sha256=sha256,
        path=Path(changes["path"]) if "path" in changes else old.path,
    )


def _check_sum_text(sha256: str, *, where: str) -> None:
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise UserError(f"{where}: sha256 must be 64 lower-case hexadecimal digits, or empty")
