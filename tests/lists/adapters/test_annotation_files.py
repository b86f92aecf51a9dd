import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import find_file
from reelpack.lists.delimited import PLAIN_TSV, Layout, read_lines, read_table, split_lines
from reelpack.lists.json_files import read_json, read_records


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "list.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


def error_of(function, *arguments, **options):
    with pytest.raises(UserError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_table_keeps_its_text_as_it_is(write):
    path = write('\ufeffid,name,extra\r\n007,"x, ""y""",NA\r\n\r\n08,,\u00e9\r\n')
    table = read_table(path, ("id", "name"))
    assert table.to_dict("list") == {
        "id": ["007", "08"],
        "name": ['x, "y"', ""],
        "extra": ["NA", "\u00e9"],
    }
    assert list(table.index) == [2, 3]


def test_a_table_without_header_or_quotes(write):
    path = write('\ufeffhe said "hi\thttp://a\r\n"\thttp://b\n')
    table = read_table(path, ("text", "url"), PLAIN_TSV)
    assert table["text"].tolist() == ['he said "hi', '"']
    assert list(table.index) == [1, 2]


def test_line_ends_in_quotes_where_they_may_be(write):
    table = read_table(write('a,b\n1,"x\ny"\n2,z\n'), ("a",), Layout(newlines=True))
    assert table["b"].tolist() == ["x\ny", "z"]


def test_another_encoding(write):
    table = read_table(write(b"a\nit\x92s\n"), ("a",), Layout(encoding="cp1252"))
    assert table["a"].tolist() == ["it\u2019s"]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("a,b\n1,2\n3\n", {}, "row 3: Expected 2 columns, got 1: 3"),
        ("a,b\n1,2,3\n", {}, "row 2: Expected 2 columns, got 3: 1,2,3"),
        ("a,c\n1,2\n", {}, "row 1: no column 'b'; found: a, c"),
        ("a,b\n", {}, "no rows in this list"),
        ("", {}, "row 1: no column 'a'; found: "),
        (b"a,b\n1,\xff\n", {}, "row 2: not utf-8 text"),
        (b"a,\xff\n1,2\n", {}, "row 1: not utf-8 text"),
        ('a,b\n1,"2\n3,"4\n', {}, "row 2: b: a quote runs over the end of the line"),
        ('a,b\n1,2\n3,"4\n5,6\n', {"newlines": True}, "row 3: a quote is never closed"),
    ],
)
def test_what_is_wrong_with_a_table(write, data, options, message):
    path = write(data)
    assert error_of(read_table, path, ("a", "b"), Layout(**options)) == f"{path}: {message}"


def test_lines_keep_their_numbers(write):
    lines = read_lines(write("\ufeffone \r\n\r\n two\r\n"))
    assert lines.to_dict() == {1: "one", 3: "two"}


def test_what_is_wrong_with_lines(write):
    assert error_of(read_lines, write("\n \n")).endswith("no rows in this list")
    assert "row 2: not utf-8" in error_of(read_lines, write(b"a\n\xff\n"))
    message = error_of(split_lines, write("a 1\n\nb\n"), fields=2, meaning="name number")
    assert message.endswith("row 3: 'b' is not 'name number'")


def test_what_is_wrong_with_json(write):
    assert read_json(write("\ufeff[1]")) == [1]
    assert "row 2: not JSON" in error_of(read_json, write("[1,\n}"))
    assert "not utf-8" in error_of(read_json, write(b'["\xff"]'))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "clip: not a list but dict"),
        ([{"id": "a", "n": 1}, 3], "clip 2: not a mapping but int"),
        ([{"id": "a", "n": 1}, {"id": "b"}], "clip 2: n: int wanted, nothing found"),
        ([{"id": None, "n": 1}], "clip 1: id: str wanted, None found"),
    ],
)
def test_what_is_wrong_with_records(tmp_path, entries, message):
    path = tmp_path / "x.json"
    keys = {"id": str, "n": int}
    found = error_of(read_records, path, json.loads(json.dumps(entries)), keys=keys, what="clip")
    assert found == f"{path}: {message}"


def test_the_first_name_that_exists_is_taken(tmp_path):
    (tmp_path / "b").touch()
    assert find_file(tmp_path, ["a", "b"], adapter="x") == tmp_path / "b"
    assert "adapter x needs a or c" in error_of(find_file, tmp_path, ["a", "c"], adapter="x")
