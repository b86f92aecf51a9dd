"""The files that lists come as: csv, tsv, parquet and jsonl, read into columns as they are written.

Flows in: a file. Flows out: one frame, texts of csv and tsv not yet parsed, and the line on which an
editor shows a row.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json
import pyarrow.parquet as pq

from reelpack.core.errors import UserError
from reelpack.lists.delimited import Layout, read_arrow, read_header
from reelpack.lists.json_files import read_json_lines

SEPARATORS = {".csv": ",", ".tsv": "\t"}
TEXT_COLUMNS = ("path", "url", "clip_id", "label_name", "split", "caption")
NUMBER_COLUMNS = ("start", "end", "label")
_JSON_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in TEXT_COLUMNS),
        *((name, pa.float64()) for name in NUMBER_COLUMNS),
        ("captions", pa.list_(pa.string())),
    ]
)
# A line of json longer than this is read the slow way.
_JSON_BLOCK_BYTES = 1 << 24


def read_columns(path: Path) -> pd.DataFrame:
    """Read a list: one row per clip, column names less their outer blanks.

    Raises:
        UserError: the file cannot be read, or its rows do not fit its header.
    """
    try:
        table = _READERS[path.suffix.lower()](path)
    except (ValueError, pa.ArrowException, pd.errors.ParserError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    table.columns = [str(column).strip() for column in table.columns]
    return table


def _read_text(path: Path) -> pd.DataFrame:
    # Not Arrow: people's lists may have short rows and lines of blanks.
    table = pd.read_csv(
        path,
        sep=SEPARATORS[path.suffix.lower()],
        dtype="str",
        keep_default_na=False,
        encoding="utf-8-sig",
    )
    # Pandas takes the first fields for row names when every row has more of them than the header.
    if not isinstance(table.index, pd.RangeIndex):
        raise UserError(
            f"{path}: the rows have more fields than the header ({', '.join(table.columns)});"
            " put texts that hold the separator in double quotes"
        )
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    return pd.DataFrame(pq.read_table(path).to_pandas(ignore_metadata=True))


def _read_jsonl(path: Path) -> pd.DataFrame:
    try:
        table = _read_arrow_json(path, _JSON_SCHEMA)
        table.validate(full=True)
        # The schema adds the columns that no row has.
        used = [name for name in table.column_names if table[name].null_count < len(table)]
        is_plain = not any(pc.any(pc.is_nan(table[name])).as_py() for name in NUMBER_COLUMNS)
        if is_plain:
            return pd.DataFrame(table.select(used).to_pandas())
    except pa.ArrowException:
        pass
    # Ids that are numbers, a byte order mark, a mistake: slower, and it can name the line.
    rows = list(read_json_lines(path))
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pd.DataFrame(columns, dtype="object")


def _read_arrow_json(path: Path, schema: pa.Schema, *, others: str = "infer") -> pa.Table:
    """Read the objects of a jsonl file.

    Args:
        schema: types of the columns that it may have.
        others: what to do with other columns, see `pyarrow.json.ParseOptions`.

    Raises:
        pyarrow.ArrowException: the file has a mistake, or something that other readers take.
    """
    objects = _count_objects(path)
    table = arrow_json.read_json(
        path,
        read_options=arrow_json.ReadOptions(block_size=_JSON_BLOCK_BYTES),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior=others
        ),
    )
    if len(table) != objects:
        raise pa.ArrowInvalid("several values on one line")
    return table


def _count_objects(path: Path) -> int:
    """Return how many lines hold an object; Arrow dies of a block that begins with `null`.

    Raises:
        pyarrow.ArrowInvalid: a line begins with something else.
    """
    with path.open("rb") as stream:
        lines = [line[:1] for line in map(bytes.strip, stream) if line]
    if lines.count(b"{") < len(lines):
        raise pa.ArrowInvalid("not a JSON object")
    return len(lines)


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    **dict.fromkeys(SEPARATORS, _read_text),
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}


def read_column(path: Path, name: str) -> list[str] | None:
    """Return one text column alone, in a tenth of a second for a million rows of csv.

    Returns:
        Its texts, "" where there is none, or None when the file has no such column.

    Raises:
        UserError, pyarrow.ArrowException, ValueError: the file has a mistake.
    """
    kind = path.suffix.lower()
    if kind == ".jsonl":
        table = _read_arrow_json(path, pa.schema([(name, pa.string())]), others="ignore")
        return _to_texts(table[name])
    layout = Layout(SEPARATORS.get(kind, ","), newlines=True)
    is_parquet = kind == ".parquet"
    header = pq.read_schema(path).names if is_parquet else read_header(path, layout)
    spelled = next((found for found in header if found.strip() == name), None)
    if spelled is None:
        return None
    if is_parquet:
        return _to_texts(pq.read_table(path, columns=[spelled])[spelled])
    return _to_texts(read_arrow(path, header, layout, only=spelled)[spelled])


def _to_texts(column: pa.ChunkedArray) -> list[str]:
    texts = column.to_pylist()
    if not all(isinstance(text, str | int | None) for text in texts):
        raise ValueError("values that are not texts")
    return [str(text or "") for text in texts]


def row_of(mask: np.ndarray, path: Path) -> int:
    """Return the number of the first row marked; in text files the line on which an editor shows it.

    Args:
        mask: bool[rows].
        path: the list that the rows came from.
    """
    number = int(np.argmax(mask))
    kind = path.suffix.lower()
    if kind == ".jsonl":
        with path.open(encoding="utf-8-sig", newline="\n") as stream:
            lines = (line for line, text in enumerate(stream, start=1) if text.strip())
            return next(line for place, line in enumerate(lines) if place == number)
    if kind not in SEPARATORS:
        return number + 1
    line, seen = 1, -1
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, delimiter=SEPARATORS[kind])
        for row in rows:
            # As pandas does it: blank lines count as lines, not as rows.
            seen += any(cell.strip() for cell in row) or len(row) > 1
            if seen == number + 1:
                break
            line = rows.line_num + 1
    return line
