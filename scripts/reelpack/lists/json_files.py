"""JSON, whole and by the line; whatever is wrong is one `UserError` that names the file and the place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from reelpack.core.errors import UserError


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        UserError: it is not JSON, with the row.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not utf-8 text") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: row {error.lineno}: not JSON: {error.msg}") from error


def read_records(
    path: Path, entries: Any, *, keys: dict[str, type | tuple[type, ...]], what: str
) -> pd.DataFrame:
    """Return a JSON list of mappings as one column for each key; the index counts from 1.

    Args:
        path: file named in errors.
        entries: what should be that list.
        keys: the keys wanted, each with the type its values must have.
        what: what an entry is, for errors.

    Raises:
        UserError: not a list, or an entry (counted from 1) without a key or with a value of another type.
    """
    if not isinstance(entries, list):
        raise UserError(f"{path}: {what}: not a list but {type(entries).__name__}")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise UserError(f"{path}: {what} {number}: not a mapping but {type(entry).__name__}")
        for key, kind in keys.items():
            if not isinstance(entry.get(key), kind):
                found = repr(entry[key])[:80] if key in entry else "nothing"
                raise UserError(
                    f"{path}: {what} {number}: {key}: {_name_types(kind)} wanted, {found} found"
                )
    columns = {key: [entry[key] for entry in entries] for key in keys}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(entries) + 1))


def _name_types(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(one.__name__ for one in kinds)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file that has one per line.

    Raises:
        UserError: a line that is not an object.
        UnicodeDecodeError: the file is not UTF-8 text.
    """
    with path.open(encoding="utf-8-sig", newline="\n") as stream:
        for line, text in enumerate(stream, start=1):
            if text.strip():
                try:
                    row = json.loads(text, parse_constant=_refuse)
                except (ValueError, RecursionError) as error:
                    raise UserError(f"{path}: row {line}: not a JSON object: {error}") from error
                if not isinstance(row, dict):
                    raise UserError(f"{path}: row {line}: not a JSON object: {text.strip():.60}")
                yield row


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
