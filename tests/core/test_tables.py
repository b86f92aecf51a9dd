from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelpack.core.errors import DamagedError
from reelpack.core.tables import Int32, Table, write_table

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


@dataclass(frozen=True)
class Thing:
    """A row with every kind of column."""

    name: str
    seconds: float | None
    side: Int32
    number: int | None = None
    good: bool = False


THINGS = Table(Thing)


def test_a_schema_follows_the_row():
    assert THINGS.schema.equals(
        pa.schema(
            [
                ("name", pa.string()),
                ("seconds", pa.float64()),
                ("side", pa.int32()),
                ("number", pa.int64()),
                ("good", pa.bool_()),
            ]
        )
    )


@pytest.mark.parametrize("rows", [[Thing("ü", None, 3), Thing("b", 0.1, 4, 1 << 60, True)], []])
def test_rows_come_back_and_equal_the_bytes_of_a_frame(tmp_path, rows):
    THINGS.write(iter(rows), tmp_path / "t")
    assert THINGS.read(tmp_path / "t") == rows
    frame = pd.DataFrame([asdict(row) for row in rows], columns=THINGS.schema.names)
    frame = frame.astype({"number": "Int64"})
    write_table(frame, THINGS.schema, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == (tmp_path / "t").read_bytes()


def test_columns_with_a_default_may_be_missing(tmp_path):
    THINGS.write([Thing("a", 1.0, 2, 3, True)], tmp_path / "t")
    pq.write_table(pq.read_table(tmp_path / "t").drop_columns(["number", "good"]), tmp_path / "t")
    assert THINGS.read(tmp_path / "t") == [Thing("a", 1.0, 2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["name", "side"]), "it lacks columns: name, side"),
        (lambda t: t.append_column("x", pa.array([1])), "unknown columns: x"),
        (
            lambda t: t.cast(t.schema.set(2, pa.field("side", pa.int64()))),
            "side is int64 instead of int32",
        ),
    ],
)
def test_another_table_is_one_line(tmp_path, change, message):
    THINGS.write([Thing("a", 1.0, 2)], tmp_path / "t")
    pq.write_table(change(pq.read_table(tmp_path / "t")), tmp_path / "t")
    with pytest.raises(DamagedError) as caught:
        THINGS.read(tmp_path / "t")
    assert str(caught.value) == f"{tmp_path / 't'}: damaged ({message})"
