"""Folders of videos: what counts, what it is called, and what cannot be."""

import os
from pathlib import Path

import pandas as pd
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.fingerprints import signature
from reelpack.lists.folders import read_folder
from tests.support.helpers import write


def test_a_folder(tmp_path):
    for name in ("b.mp4", "a/x y.MOV", "a/ü.webm", "a/deep/z.avi", ".hidden.mp4", "a/notes.txt"):
        write(tmp_path / name)
    write(tmp_path / ".git" / "v.mp4")
    table = read_folder(tmp_path)
    assert list(table["clip_id"]) == ["a/deep/z", "a/x y", "a/ü", "b"]
    assert list(table["video"]) == ["a/deep/z.avi", "a/x y.MOV", "a/ü.webm", "b.mp4"]
    assert list(table["path"]) == [str(tmp_path / video) for video in table["video"]]
    assert [None if pd.isna(split) else split for split in table["split"]] == ["a", "a", "a", None]


def test_names_that_differ_only_in_their_ending_keep_it(tmp_path):
    for name in ("a.mp4", "a.avi", "d/a.mp4", "b.mp4"):
        write(tmp_path / name)
    assert list(read_folder(tmp_path)["clip_id"]) == ["a.avi", "a.mp4", "b", "d/a"]


def test_an_empty_folder_lists_the_endings(tmp_path):
    write(tmp_path / "notes.txt")
    with pytest.raises(UserError, match=r"no videos in this folder \(endings: \.3gp .*\.mp4"):
        read_folder(tmp_path)


def test_links_are_followed_and_loops_are_not(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    write(root / "a" / "x.mp4")
    write(other / "y.mp4")
    for link, target in (
        (root / "a" / "up", root),
        (root / "a" / "here", root / "a"),
        (root / "b", other),
        (other / "back", root),
        (root / "self", root / "self"),
        (root / "z.mp4", other / "y.mp4"),
        (root / "gone.mp4", tmp_path / "nothing"),
    ):
        link.symlink_to(target)
    videos = list(read_folder(root)["video"])
    assert videos == ["a/x.mp4", "b/y.mp4", "gone.mp4", "z.mp4"]
    assert signature(root) == signature(root)


def test_a_name_that_is_not_utf_8_is_one_line(tmp_path):
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))).write_bytes(b"x")
    with pytest.raises(UserError, match=r"file name b'caf\\xe9\.mp4' is not UTF-8 text; rename"):
        read_folder(tmp_path)
    assert signature(tmp_path)
