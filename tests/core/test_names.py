"""Names of files, addresses, and locks."""

import multiprocessing
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelpack.core.errors import ClipError, UserError
from reelpack.core.names import is_too_long, safe_name
from reelpack.sources.base import Limits, beside, hide_secrets, locked


@pytest.mark.parametrize(
    "text",
    [
        "abcdefghijk",
        "a-b_c.d",
        "_x",
        "v_Archery_g01_c01",
        "映像",
        "é",
        "a..b",
        "x.mp4",
    ],
)
def test_plain_ids_stay(text):
    assert safe_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("-dQw4w9WgXc", "%2DdQw4w9WgXc"),
        (".hidden", "%2Ehidden"),
        ("a b", "a%20b"),
        ("$(rm -rf ~)", "%24%28rm%20-rf%20%7E%29"),
        ("`id`;&|", "%60id%60%3B%26%7C"),
        ("100%", "100%25"),
        ("%2Fx", "%252Fx"),
        ("e\u0301", "e%CC%81"),
        ("\u202egpj", "%E2%80%AEgpj"),
    ],
)
def test_other_characters_are_encoded(text, name):
    assert safe_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "/x",
        "a\\b",
        "a\nb",
        "a\0b",
        "\x1b[2J",
        "\u2028",
        "\ud800",
        "a" * 300,
        "é" * 128,
        "$" * 86,
    ],
)
def test_hostile_ids_are_refused_in_one_line(text):
    with pytest.raises(ClipError) as caught:
        safe_name(text)
    assert caught.value.failure == "refused"
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=8, unique=True))
def test_names_are_safe_and_of_one_id_only(texts):
    names = []
    for text in texts:
        try:
            names.append(safe_name(text))
        except ClipError:
            continue
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[\w%][\w.%-]*", name)
        assert len(name.encode()) <= 255


@given(
    st.lists(st.text(st.sampled_from("aé映😀"), max_size=260), min_size=1, max_size=3),
    st.integers(0, 20),
)
def test_the_longest_part_of_a_path_counts_in_bytes(parts, added):
    longest = max(len(part.encode()) for part in parts)
    assert is_too_long("/".join(parts), added=added) == (longest + added > 255)


def test_addresses_in_messages_have_no_query_and_no_password():
    assert hide_secrets("https://me:secret@host:8/a/b.mp4?key=secret#x") == "https://host:8/a/b.mp4"


def test_hidden_names_fit_and_differ(tmp_path):
    long = [beside(tmp_path / ("n" * 250 + end), "part.json").name for end in "ab"]
    assert len(set(long)) == 2
    assert all(name.startswith(".") and len(name) < 64 for name in long)


def _hold(path, is_held, seconds):
    with locked(path, seconds=5):
        is_held.set()
        time.sleep(seconds)


def test_a_lock_is_waited_for_and_ends_with_its_process(tmp_path):
    context = multiprocessing.get_context("spawn")
    path, is_held = tmp_path / "x.lock", context.Event()
    holder = context.Process(target=_hold, args=(path, is_held, 60))
    holder.start()
    assert is_held.wait(30)
    with pytest.raises(ClipError) as caught, locked(path, seconds=0.1):
        pass
    assert caught.value.failure == "timeout"
    holder.kill()
    holder.join()
    with locked(path, seconds=5):
        pass


@pytest.mark.parametrize("name", ["attempts", "workers", "per_host", "max_bytes", "total_seconds"])
def test_limits_of_nothing_are_a_mistake(name):
    with pytest.raises(UserError, match=name):
        Limits(**{name: 0})
