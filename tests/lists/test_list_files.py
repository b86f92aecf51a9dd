"""Rows and columns of list files, as an editor shows them."""

import numpy as np
import pandas as pd
import pytest

from reelpack.lists.list_files import read_column, read_columns, row_of
from tests.support.helpers import write


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("a.csv", 'path,caption\na,"x\ny"\n\nb,\n', [2, 5]),
        ("a.tsv", "\ufeffpath\r\na\r\n  \r\nb\r\n", [2, 4]),
        ("a.jsonl", '\n{"path": "a"}\n \n{"path": "b"}', [2, 4]),
    ],
)
def test_rows_are_numbered_by_lines(tmp_path, name, text, lines):
    path = write(tmp_path / name, text)
    assert read_columns(path)["path"].tolist() == ["a", "b"]
    assert [row_of(np.arange(2) == row, path) for row in range(2)] == lines


def test_rows_of_a_parquet_file_are_numbered_from_one(tmp_path):
    assert row_of(np.array([False, True, True]), tmp_path / "a.parquet") == 2


def test_a_line_longer_than_a_block_is_read_too(tmp_path, monkeypatch):
    monkeypatch.setattr("reelpack.lists.list_files._JSON_BLOCK_BYTES", 64)
    text = '{"path": "a"}\n{"path": "b", "caption": "' + 200 * "x" + '"}\n'
    path = write(tmp_path / "a.jsonl", text)
    assert read_columns(path)["caption"].fillna("").tolist() == ["", 200 * "x"]


def test_columns_that_no_row_fills_are_left_out(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"path": "a", "label": null}\n{"path": "b"}\n')
    assert list(read_columns(path).columns) == ["path"]


def test_one_column_alone(tmp_path):
    path = write(tmp_path / "a.csv", 'caption, path \n"x,\ny",a\nz,\n')
    assert read_column(path, "path") == ["a", ""]
    assert read_column(path, "url") is None
    pd.DataFrame({"path": ["a", None]}).to_parquet(tmp_path / "a.parquet")
    assert read_column(tmp_path / "a.parquet", "path") == ["a", ""]
    assert read_column(tmp_path / "a.parquet", "url") is None
