"""Parquet tables with a fixed schema; equal rows give equal bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.files import replace_file


def write_table(frame: pd.DataFrame, schema: pa.Schema, target: Path) -> None:
    """Write the schema's columns of a frame as parquet, whole or not at all."""
    arrays = [pa.array(frame[field.name], type=field.type, from_pandas=True) for field in schema]
    # In one chunk each: chunk bounds would show in the file's pages.
    table = pa.Table.from_arrays(arrays, schema=schema).combine_chunks()
    with replace_file(target) as temporary:
        pq.write_table(table, temporary, compression="zstd")
