"""Delimited text and plain lines, as lists come in them.

Flows in: a file. Flows out: frames of text, or lines. Byte order marks and Windows line ends are taken
off; whatever else is wrong is one `UserError` that names the file and, where there is one, the row.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from reelpack.core.errors import UserError


@dataclass(frozen=True)
class Layout:
    """How a table is written as text.

    Attributes:
        separator: one character.
        header: whether the first row names the columns.
        quoted: whether double quotes hold values together; where not, they are part of the text.
        newlines: whether quoted values may hold line ends.
        encoding: how bytes become text.
    """

    separator: str = ","
    header: bool = True
    quoted: bool = True
    newlines: bool = False
    encoding: str = "utf-8"


CSV = Layout()
PLAIN_TSV = Layout("\t", header=False, quoted=False)


def read_table(path: Path, columns: Sequence[str], layout: Layout = CSV) -> pd.DataFrame:
    """Read delimited text as columns of str; empty lines are skipped, also in counting rows.

    The frame's index is the row, the header being row 1.

    Args:
        path: the file.
        columns: with a header, the columns that must be there (others are kept); without one,
            the names of all columns.
        layout: how the table is written.

    Raises:
        UserError: bad encoding, a row with too few or too many values, a missing column, no rows.
    """
    found = read_header(path, layout) if layout.header else list(columns)
    missing = [name for name in columns if name not in found]
    if missing:
        raise UserError(f"{path}: row 1: no column {missing[0]!r}; found: {', '.join(found)}")
    try:
        table = read_arrow(path, found, layout)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {_explain(path, layout.encoding, error)}") from error
    if table.num_rows == 0:
        raise UserError(f"{path}: no rows in this list")
    frame = pd.DataFrame({name: _to_text(table[name]) for name in found})
    first_row = 2 if layout.header else 1
    frame.index = pd.RangeIndex(first_row, first_row + len(frame))
    if layout.quoted:
        _check_quotes(path, frame, newlines=layout.newlines)
    return frame


def read_arrow(
    path: Path, names: Sequence[str], layout: Layout, *, only: str | None = None
) -> pa.Table:
    """Read delimited text as an Arrow table of strings, as it stands there.

    Args:
        names: of all columns.
        only: the one column to read, by default all.

    Raises:
        pyarrow.ArrowInvalid, UnicodeDecodeError: the file has a mistake.
    """
    return pa_csv.read_csv(
        path,
        # One thread, because only then errors name their row.
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            column_names=None if layout.header else names,
            encoding=layout.encoding,
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.separator,
            quote_char='"' if layout.quoted else False,
            newlines_in_values=layout.quoted,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            include_columns=[] if only is None else [only],
        ),
    )


def read_header(path: Path, layout: Layout = CSV) -> list[str]:
    """Return the names in the first line.

    Raises:
        UserError: they are not text.
    """
    with path.open("rb") as stream:
        data = stream.readline()
    try:
        line = data.decode("utf-8-sig" if layout.encoding == "utf-8" else layout.encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: row 1: not {layout.encoding} text") from error
    if not layout.quoted:
        return line.rstrip("\r\n").split(layout.separator)
    return next(csv.reader([line], delimiter=layout.separator), [])


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


def _to_text(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(pd.array(column, dtype=pd.StringDtype("pyarrow", na_value=float("nan"))))


def _explain(path: Path, encoding: str, error: Exception) -> str:
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
