"""Whatever JSON a list holds, it is read, or refused in one line; the process goes on."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelpack.core.errors import UserError
from reelpack.lists.own import read_list, read_paths
from tests.support.helpers import write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {"path": st.sampled_from(["a.mp4", "b/c.mp4"])},
    optional={"clip_id": VALUES, "start": VALUES, "label": VALUES, "captions": VALUES},
)
LINES = st.lists(ROWS | VALUES, min_size=1, max_size=5)


def read_or_refuse(path):
    """Return the numbers of rows and paths read, None where the list was refused in one line."""
    found = []
    for read in (read_list, read_paths):
        try:
            found.append(len(read(path)))
        except UserError as error:
            found.append(str(error))
    messages = [each for each in found if isinstance(each, str)]
    assert all(each.startswith(f"{path}: ") and "\n" not in each for each in messages)
    return [None if isinstance(each, str) else each for each in found]


@pytest.mark.parametrize("text", ["null", "null\n", "null\nnull\n" * 50, '\nnull\n{"path": "a"}'])
def test_lines_of_null_are_refused_by_their_number(tmp_path, text):
    path = write(tmp_path / "list.jsonl", text)
    row = 2 if text.startswith("\n") else 1
    for read in (read_list, read_paths):
        with pytest.raises(UserError, match=rf"row {row}: not a JSON object: null$"):
            read(path)


@pytest.mark.parametrize("second", ["null", '{"path": "b"}', "[]"])
def test_a_line_of_several_values_is_refused(tmp_path, second):
    path = write(tmp_path / "list.jsonl", f'{{"path": "a"}} {second}\n')
    assert read_or_refuse(path) == [None, None]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, blank=st.sampled_from(["", "\n", " \r\n"]))
def test_a_block_may_begin_with_anything(tmp_path, lines, blank):
    text = "".join(f"{json.dumps(line)}\n{blank}" for line in lines)
    path = write(tmp_path / "list.jsonl", text)
    rows, paths = read_or_refuse(path)
    if rows is not None:
        assert rows == len(lines) == paths
    if not all(isinstance(line, dict) and "path" in line for line in lines):
        assert rows is None


def test_every_block_of_a_long_list_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("reelpack.lists.list_files._JSON_BLOCK_BYTES", 64)
    lines = ['{"path": "a"}'] * 20 + ["null"] * 20
    path = write(tmp_path / "list.jsonl", "\n".join(lines))
    with pytest.raises(UserError, match="row 21: not a JSON object: null"):
        read_list(path)
