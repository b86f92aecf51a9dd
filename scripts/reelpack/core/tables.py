"""Parquet tables of declared rows; equal rows give equal bytes."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.errors import DamagedError
from reelpack.core.files import reading, replace_file

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")
Int32 = Annotated[int, pa.int32()]
_KINDS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class Table(Generic[Row]):
    """The parquet table of a dataclass: a column per field, in order.

    A field's type gives its column's: `str`, `int` (64 bits), `float`, `bool`, each perhaps `| None`;
    `Annotated[int, pa.int32()]` names another. Fields with a default may be missing in files.

    Attributes:
        schema: the columns.
    """

    def __init__(self, row: type[Row]) -> None:
        self._row = row
        hints = get_type_hints(row, include_extras=True)
        own = fields(row)  # type: ignore[arg-type]
        self.schema = pa.schema([(field.name, _kind(hints[field.name])) for field in own])
        self._needed = [field.name for field in own if field.default is MISSING]

    def write(self, rows: Iterable[Row], target: Path) -> None:
        """Write rows as parquet, whole or not at all."""
        listed = list(rows)
        columns = {name: [getattr(row, name) for row in listed] for name in self.schema.names}
        write_table(columns, self.schema, target)

    def read(self, path: Path) -> list[Row]:
        """Read all rows in their order.

        Raises:
            DamagedError: the file is not such a table.
        """
        with reading(path):
            table = pq.read_table(path)
            self._check(table.schema, path)
            return [self._row(**row) for row in table.to_pylist()]

    def _check(self, found: pa.Schema, path: Path) -> None:
        missing = [name for name in self._needed if name not in found.names]
        unknown = [name for name in found.names if name not in self.schema.names]
        wrong = [
            f"{field.name} is {field.type} instead of {self.schema.field(field.name).type}"
            for field in found
            if field.name not in unknown and field.type != self.schema.field(field.name).type
        ]
        problems = [
            *([f"it lacks columns: {', '.join(missing)}"] if missing else []),
            *([f"unknown columns: {', '.join(unknown)}"] if unknown else []),
            *wrong,
        ]
        if problems:
            raise DamagedError(str(path), "; ".join(problems))


def _kind(hint: Any) -> pa.DataType:
    """Return the column type of a field's type."""
    parts = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    (hint,) = [part for part in parts if part is not types.NoneType]
    return next(iter(getattr(hint, "__metadata__", ())), None) or _KINDS[hint]


def write_table(
    columns: pd.DataFrame | dict[str, list[Any]], schema: pa.Schema, target: Path
) -> None:
    """Write the schema's columns as parquet, whole or not at all.

    Args:
        columns: name -> values, or a frame; NaN stands for no value, as None does.
        schema: the columns to write, in order.
        target: the file.
    """
    arrays = [pa.array(columns[field.name], type=field.type, from_pandas=True) for field in schema]
    # In one chunk each: chunk bounds would show in the file's pages.
    table = pa.Table.from_arrays(arrays, schema=schema).combine_chunks()
    with replace_file(target) as temporary:
        pq.write_table(table, temporary, compression="zstd")
