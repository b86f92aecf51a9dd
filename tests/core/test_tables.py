import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.tables import write_table

SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64()), ("real", pa.float64())])


def test_missing_values_become_nulls(tmp_path):
    frame = pd.DataFrame({"text": ["a", None], "number": [1, None], "real": [0.5, np.nan], "x": 1})
    write_table(frame, SCHEMA, tmp_path / "t")
    table = pq.read_table(tmp_path / "t")
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == [
        {"text": "a", "number": 1, "real": 0.5},
        {"text": None, "number": None, "real": None},
    ]


def test_no_rows(tmp_path):
    write_table(pd.DataFrame([], columns=SCHEMA.names), SCHEMA, tmp_path / "t")
    assert pq.read_table(tmp_path / "t").num_rows == 0


def test_equal_rows_give_equal_bytes_however_they_lie_in_memory(tmp_path):
    rows = pd.DataFrame({"text": [f"{n % 7}" for n in range(5000)], "number": range(5000)})
    rows["text"] = rows["text"].astype("str")
    rows["real"] = 0.5
    pieces = pd.concat([rows.iloc[:1234], rows.iloc[1234:]])
    parts = pd.concat([rows.iloc[:7], rows]).iloc[7:]
    for number, frame in enumerate([rows, pieces, parts]):
        write_table(frame, SCHEMA, tmp_path / str(number))
    assert len({(tmp_path / str(number)).read_bytes() for number in range(3)}) == 1
