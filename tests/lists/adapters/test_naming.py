import pandas as pd
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.naming import format_names, format_source_names
from reelpack.lists.adapters.table import make_clip_table

FIELDS = {
    "id": pd.Series(["-a", "b c"], name="id", dtype="str"),
    "start": pd.Series([7.0, 12.5], name="start"),
}


def test_numbers_are_padded_and_whole_ones_lose_their_fraction():
    assert format_names("{id}_{start:06d}.mp4", FIELDS, where="x").tolist() == [
        "-a_000007.mp4",
        "b c_000012.mp4",
    ]
    assert format_names("x/{start}", FIELDS, where="x").tolist() == ["x/7", "x/12.5"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{name}", "unknown field 'name'; allowed: id, start"),
        ("a.mp4", "no field"),
        ("{id", "expected '}'"),
        ("{id:06d}", "is for numbers; id is text"),
        ("{start:zz}", "format 'zz'"),
    ],
)
def test_patterns_that_cannot_be(pattern, message):
    with pytest.raises(UserError) as caught:
        format_names(pattern, FIELDS, where="card: naming")
    assert str(caught.value).startswith("card: naming")
    assert message in str(caught.value)


def clips():
    return make_clip_table(
        {
            "video": pd.Series(["some class/x_3_10.mp4"], dtype="str"),
            "source_id": pd.Series(["x"], dtype="str"),
            "start": pd.Series([3.0]),
            "end": pd.Series([13.0]),
        },
        split="train",
        path=None,
    )


def test_a_source_may_name_files_otherwise():
    table = clips()
    for pattern, name in {
        "{video}": "some class/x_3_10.mp4",
        "{name}": "x_3_10.mp4",
        "all/{stem}.webm": "all/x_3_10.webm",
        "{source_id}_{start:06d}_{end:06d}.mp4": "x_000003_000013.mp4",
        "{duration}/{source_id}": "10/x",
    }.items():
        assert format_source_names(pattern, table, where="x").tolist() == [name]


def test_a_clip_that_lacks_a_field_is_named():
    with pytest.raises(UserError, match="clip 'some class/x_3_10' lacks a field"):
        format_source_names("{label_name}/{name}", clips(), where="x")
