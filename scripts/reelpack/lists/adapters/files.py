"""Readers for annotation files: delimited text, plain lines and JSON.

Flows in: a file of the annotation folder. Flows out: frames of text, lines, or parsed JSON. Byte
order marks and Windows line ends are taken off; whatever else is wrong is one `UserError` that
names the file and, where there is one, the row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from reelpack.core.errors import UserError


def find_file(folder: Path, names: Sequence[str], *, adapter: str) -> Path:
    """Return the first of these files that the folder has.

    Raises:
        UserError: none is there; names them all.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder}: adapter {adapter} needs {' or '.join(names)}; there is none")


def read_table(
    path: Path,
    *,
    columns: Sequence[str],
    separator: str = ",",
    header: bool = True,
    quoted: bool = True,
    newlines: bool = False,
    encoding: str = "utf-8",
) -> pd.DataFrame:
    """Read delimited text as columns of str; empty lines are skipped, also in counting rows.

    The frame's index is the row, the header being row 1.

    Args:
        path: the file.
        columns: with a header, the columns that must be there (others are kept); without one,
            the names of all columns.
        separator: one character.
        header: whether the first row names the columns.
        quoted: whether double quotes hold values together; where not, they are part of the text.
        newlines: whether quoted values may hold line ends.
        encoding: how bytes become text.

    Raises:
        UserError: bad encoding, a row with too few or too many values, a missing column, no rows.
    """
    found = _header(path, separator, quoted, encoding) if header else list(columns)
    missing = [name for name in columns if name not in found]
    if missing:
        raise UserError(f"{path}: row 1: no column {missing[0]!r}; found: {', '.join(found)}")
    try:
        table = pa_csv.read_csv(
            path,
            # One thread, because only then errors name their row.
            read_options=pa_csv.ReadOptions(
                use_threads=False, column_names=None if header else found, encoding=encoding
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(found, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {_reason(path, encoding, error)}") from error
    if table.num_rows == 0:
        raise UserError(f"{path}: no rows in this list")
    frame = pd.DataFrame({name: _text(table[name]) for name in found})
    first_row = 2 if header else 1
    frame.index = pd.RangeIndex(first_row, first_row + len(frame))
    if quoted:
        _check_quotes(path, frame, newlines=newlines)
    return frame


def _check_quotes(path: Path, frame: pd.DataFrame, *, newlines: bool) -> None:
    """Refuse rows that a stray quote ran together."""
    if newlines:
        with path.open("rb") as stream:
            quotes = sum(block.count(b'"') for block in iter(lambda: stream.read(1 << 20), b""))
        if quotes % 2:
            raise UserError(f"{path}: row {frame.index[-1]}: a quote is never closed")
        return
    for name, values in frame.items():
        wrong = values.str.contains("\n", regex=False)
        if wrong.any():
            row = wrong.idxmax()
            raise UserError(f"{path}: row {row}: {name}: a quote runs over the end of the line")


def _text(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pd.array(column, dtype=pd.StringDtype("pyarrow", na_value=float("nan"))))


def _header(path: Path, separator: str, quoted: bool, encoding: str) -> list[str]:
    with path.open("rb") as stream:
        data = stream.readline()
    try:
        line = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: row 1: not {encoding} text") from error
    if not quoted:
        return line.rstrip("\r\n").split(separator)
    return next(csv.reader([line], delimiter=separator), [])


def _reason(path: Path, encoding: str, error: Exception) -> str:
    message = " ".join(str(error).split())
    if "utf" in message.lower() or isinstance(error, UnicodeDecodeError):
        for row, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return f"row {row}: not {encoding} text"
    return message.removeprefix("CSV parse error: ").replace("Row #", "row ")[:200]


def read_lines(path: Path) -> pd.Series:
    """Read a list of lines, stripped; the index holds line numbers from 1, empty lines are skipped.

    Raises:
        UserError: no UTF-8 text, or no lines.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: row {row}: not utf-8 text") from error
    lines = pd.Series(text.split("\n"), dtype="str").str.strip()
    lines.index = pd.RangeIndex(1, len(lines) + 1)
    lines = lines[lines != ""]
    if lines.empty:
        raise UserError(f"{path}: no rows in this list")
    return lines


def split_lines(path: Path, *, fields: int, meaning: str) -> pd.DataFrame:
    """Read lines of exactly so many values between white space; the index holds line numbers.

    Raises:
        UserError: a line with another number of values.
    """
    lines = read_lines(path)
    parts = [line.split() for line in lines]
    for row, line, found in zip(lines.index, lines, parts, strict=True):
        if len(found) != fields:
            raise UserError(f"{path}: row {row}: {line[:200]!r} is not {meaning!r}")
    return pd.DataFrame(parts, index=lines.index, dtype="str")


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        UserError: it is none, with the row.
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
        UserError: no list, or an entry (counted from 1) without a key or with a value of another type.
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
                    f"{path}: {what} {number}: {key}: {_named(kind)} wanted, {found} found"
                )
    columns = {key: [entry[key] for entry in entries] for key in keys}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(entries) + 1))


def _named(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(one.__name__ for one in kinds)
