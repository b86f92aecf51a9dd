"""Parquet columns of every type: the right values, or one line that names the column."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelpack.core.errors import UserError
from reelpack.lists.own import read_list, read_paths

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
OTHERS = {
    "binary": pa.array([b"a.mp4", None]),
    "large binary": pa.array([b"a.mp4", None], pa.large_binary()),
    "fixed binary": pa.array([b"a.mp4", None], pa.binary(5)),
    "struct": pa.array([{"x": 1}, None]),
    "list": pa.array([["a.mp4"], None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "timestamp": pa.array([NOON, None], pa.timestamp("us")),
    "timestamp in a zone": pa.array([NOON, None], pa.timestamp("ns", tz="UTC")),
    "date": pa.array([date(2020, 1, 1), None]),
    "time": pa.array([time(0, 0, 1), None]),
}


def write(folder, **columns):
    path = folder / "list.parquet"
    given = {"path": pa.array(["a.mp4", "b.mp4"]), **columns}
    pq.write_table(pa.table(given), path)
    return path


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    counts=st.lists(st.none() | st.integers(0, 10**6), min_size=2, max_size=2),
    unit=st.sampled_from(sorted(UNITS)),
    scale=st.sampled_from(sorted(UNITS.values())),
)
def test_time_spans_are_seconds(tmp_path, counts, unit, scale):
    spans = pa.array([None if n is None else n * scale for n in counts], pa.duration(unit))
    found = read_list(write(tmp_path, start=spans))["start_seconds"]
    wanted = [math.nan if n is None else n * scale / UNITS[unit] for n in counts]
    assert found.tolist() == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_ids_of_windows_by_time_spans_are_those_of_seconds(tmp_path):
    spans = pa.array([1_500_000, None], pa.duration("us"))
    by_spans = read_list(write(tmp_path, start=spans))["clip_id"].tolist()
    assert by_spans == read_list(write(tmp_path, start=pa.array([1.5, None])))["clip_id"].tolist()
    assert by_spans == ["a_1.5", "b"]


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["path", "clip_id", "caption", "start", "label"])
def test_other_types_are_refused_in_one_line(tmp_path, name, kind):
    path = write(tmp_path, **{name: OTHERS[kind]})
    what = "number" if name in ("start", "label") else "text"
    with pytest.raises(UserError, match=rf"^.*row 1: {name} .* is not a {what}$"):
        read_list(path)
    if name == "path":
        with pytest.raises(UserError, match=r"row 1: path .* is not a text"):
            read_paths(path)


def test_a_time_span_is_not_a_label(tmp_path):
    with pytest.raises(UserError, match=r"row 1: label .* is not a number"):
        read_list(write(tmp_path, label=pa.array([1, 2], pa.duration("s"))))


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.duration("s"), pa.date32(), pa.null()])
def test_columns_without_any_value_are_empty(tmp_path, kind):
    empty = pa.array([None, None], kind)
    table = read_list(write(tmp_path, start=empty, label=empty, caption=empty))
    assert table[["start_seconds", "label", "caption"]].isna().all(axis=None)


def test_texts_and_numbers_of_every_width_are_taken(tmp_path):
    texts = pa.array(["x", None])
    for text in (pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        assert read_list(write(tmp_path, caption=texts.cast(text)))["caption"][0] == "x"
    for number in (pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(30, 2), pa.string()):
        values = pa.array([3, 2]).cast(number)
        table = read_list(write(tmp_path, start=values, label=values))
        assert table["start_seconds"].tolist() == [3, 2]
        assert table["label"].tolist() == [3, 2]
    half = pa.array([Decimal("0.5"), None])
    assert read_list(write(tmp_path, end=half))["end_seconds"][0] == 0.5
