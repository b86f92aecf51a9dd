"""Clips' files in a folder of the user's."""

import pytest

from reelpack.lists.folder_index import FolderIndex

FILES = (
    *("Class/v_x.avi", "a.mp4", "B.MKV", "-dash.webm", "$(x).mp4", "two.mp4", "two.webm"),
    *("a b.mp4", "v1.2.mp4", "one/same.mp4", "other/same.mp4", "one/.hidden.mp4", "flat.avi"),
)


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "videos"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (folder / "linked").symlink_to(folder)
    return FolderIndex(folder)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Class/v_x.avi", "Class/v_x.avi"),
        ("Class/v_x", "Class/v_x.avi"),
        ("Class/v_x.mp4", "Class/v_x.avi"),
        ("v_x.avi", "Class/v_x.avi"),
        ("a", "a.mp4"),
        ("B", "B.MKV"),
        ("-dash", "-dash.webm"),
        ("$(x)", "$(x).mp4"),
        ("a b", "a b.mp4"),
        ("two.webm", "two.webm"),
        ("v1.2", "v1.2.mp4"),
        ("one/same.mp4", "one/same.mp4"),
        ("Class/flat.avi", "flat.avi"),
        ("Class/flat", "flat.avi"),
    ],
)
def test_a_file_is_found_by_name_or_stem(index, name, file):
    assert index.find(name) == index.root / file


@pytest.mark.parametrize(
    "name",
    [
        *("nothing", "Class", "a.mp4/x", "two", "same.mp4", "third/same.mp4", ".hidden.mp4", "*"),
        *("../secret.mp4", "secret.mp4", "/etc/passwd", "", ".", "..", "n" * 300, "a\nb"),
    ],
)
def test_what_is_not_there_or_not_one_file_is_not_found(index, name):
    assert index.find(name) is None


def test_all_files_are_listed_once(index):
    assert index.names == sorted(set(FILES) - {"one/.hidden.mp4"})
