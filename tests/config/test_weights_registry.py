"""The registry of weights: rows, overrides, and mistakes in it."""

import hashlib
from pathlib import Path

import pytest

from reelpack.config.weights_registry import WeightsEntry, load_registry
from reelpack.core.errors import UserError
from tests.support.helpers import ROOT

SUM = hashlib.sha256(b"weights").hexdigest()
HEADER = "name\turl\tsha256\tlicence\tnote\n"


def test_the_shipped_registry_reads():
    entries = load_registry(ROOT / "weights.tsv")
    assert entries["dalle_encoder"].url == "https://cdn.openai.com/dall-e/encoder.pkl"
    assert all(row.licence for row in entries.values())


def test_registry_skips_comments_and_reads_rows(tmp_path):
    path = tmp_path / "w.tsv"
    path.write_text(f"# a comment\n{HEADER}\n# another\na\thttps://x/y\t{SUM}\tMIT\tgood\n")
    assert load_registry(path) == {"a": WeightsEntry("a", "https://x/y", SUM, "MIT", "good")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns name, url"),
        ("name\turl\n", "columns name, url"),
        (HEADER + "a\tb\n", r"w\.tsv:2: 2 fields instead of 5"),
        (HEADER + "a\thttps://x\tABC\t\t\n", r"w\.tsv:2: sha256"),
        (HEADER + "\thttps://x\t\t\t\n", "must not be empty"),
        (HEADER + "a\thttps://x\t\t\t\n" * 2, r"w\.tsv:3: a is there twice"),
    ],
)
def test_registry_names_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "w.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_registry(path)


def test_a_missing_registry_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="missing"):
        load_registry(tmp_path / "none.tsv")


def test_overrides_are_laid_over(tmp_path):
    path = tmp_path / "w.tsv"
    path.write_text(f"{HEADER}a\thttps://x/y\t{SUM}\tMIT\t\n")
    changed = load_registry(path, overrides={"a": {"path": "/m/a.bin"}})["a"]
    assert (changed.path, changed.sha256, changed.url) == (Path("/m/a.bin"), SUM, "https://x/y")
    other = "0" * 64
    assert load_registry(path, overrides={"a": {"sha256": other}})["a"].sha256 == other
    with pytest.raises(UserError, match=r"weights\.b: unknown weights; allowed: a"):
        load_registry(path, overrides={"b": {}})
    with pytest.raises(UserError, match=r"weights\.a\.sum: unknown key"):
        load_registry(path, overrides={"a": {"sum": ""}})
