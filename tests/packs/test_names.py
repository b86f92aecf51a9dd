"""Names of clips inside packs: injective, safe, and never two clips under one."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelpack.core.errors import ClipError
from reelpack.packs.names import SeenIds, TakenNames, check_path, is_file_name, make_key

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(TEXTS)
def test_a_key_holds_no_dots_slashes_or_blanks_and_tells_the_id(clip_id):
    key = make_key(clip_id)
    assert set(key).isdisjoint("./ \\\0\n")
    assert key.isascii()
    assert unquote(key) == clip_id


def test_plain_ids_are_their_own_keys():
    assert make_key("v_Archery_g01-c02~") == "v_Archery_g01-c02~"
    assert make_key("a/b c.d") == "a%2Fb%20c%2Ed"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "ü" * 128])
def test_what_no_folder_can_be_called(name):
    assert not is_file_name(name)


@pytest.mark.parametrize("path", ["a//b", "/a", "a/", "a/../b", "x" * 256 + "/b"])
def test_paths_with_such_parts_are_refused(path):
    with pytest.raises(ClipError, match="cannot be the name of a folder"):
        check_path(path)


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (["a"], "a"),
        (["a/b"], "a/b"),
        (["a"], "a/b"),
        (["a"], "a/b/c"),
        (["a/b/c"], "a"),
        (["a/b/c"], "a/b"),
    ],
)
def test_a_name_that_is_taken_or_lies_in_another(taken, name):
    names = TakenNames()
    for other in taken:
        names.take(other)
    with pytest.raises(ClipError):
        names.take(name)
    names.take("ab")
    names.take("b/a")


def test_a_refused_name_takes_nothing():
    names = TakenNames()
    names.take("a")
    with pytest.raises(ClipError):
        names.take("a/b")
    with pytest.raises(ClipError):
        names.take("a/b/c")
    names.take("b")


@pytest.mark.parametrize(
    ("ids", "twice"),
    [([], False), (["a"], False), (["a", "b", "ü"], False), (["a", "b", "a"], True)],
)
def test_ids_that_come_twice(ids, twice):
    seen = SeenIds()
    for clip_id in ids:
        seen.add(clip_id)
    if twice:
        with pytest.raises(ValueError, match="a clip comes twice: among those counted 0, 2"):
            seen.check()
    else:
        seen.check()
