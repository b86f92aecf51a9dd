"""A clip's file in a folder of the user's."""

import os

import pytest

from reelpack.errors import ClipError
from reelpack.sources.folder import find_video


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "videos"
    (folder / "Class").mkdir(parents=True)
    for name in [
        "Class/v_x.avi",
        "a.mp4",
        "B.MKV",
        "-dash.webm",
        "$(x).mp4",
        "two.mp4",
        "two.webm",
        "a b.mp4",
    ]:
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    return folder


def failure(*arguments, **options) -> str:
    with pytest.raises(ClipError) as caught:
        find_video(*arguments, **options)
    assert "\n" not in caught.value.message
    return caught.value.failure


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Class/v_x.avi", "Class/v_x.avi"),
        ("Class/v_x", "Class/v_x.avi"),
        ("a", "a.mp4"),
        ("./a", "a.mp4"),
        ("B", "B.MKV"),
        ("-dash", "-dash.webm"),
        ("$(x)", "$(x).mp4"),
        ("a b", "a b.mp4"),
        ("two.webm", "two.webm"),
    ],
)
def test_a_file_is_found_by_name_or_stem(root, name, file):
    assert find_video(root, name) == root / file


@pytest.mark.parametrize("name", ["nothing", "Class", "a.mp4/x", "a.webm", "v_x", "n" * 253, "*"])
def test_what_is_not_there_is_missing(root, name):
    assert failure(root, name) == "missing"


def test_a_stem_of_several_files_is_missing(root):
    with pytest.raises(ClipError, match=r"two\.mp4, two\.webm"):
        find_video(root, "two")


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "../secret.mp4",
        "Class/../../secret",
        "/etc/passwd",
        "",
        ".",
        "a\nb",
        "a\0",
        "n" * 300,
        "\ud800",
    ],
)
def test_names_that_lead_out_are_refused(root, name):
    assert failure(root, name) == "refused"


def test_links(root):
    (root / "inside.mp4").symlink_to("a.mp4")
    (root / "Linked").symlink_to("Class")
    (root / "outside.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "up").symlink_to(root.parent)
    (root / "loop.mp4").symlink_to("loop.mp4")
    assert failure(root, "inside") == "refused"
    assert failure(root, "Linked/v_x") == "refused"
    assert find_video(root, "inside", follow_links=True) == root / "inside.mp4"
    assert find_video(root, "Linked/v_x", follow_links=True) == root / "Linked/v_x.avi"
    for name in ("outside", "up/secret"):
        assert failure(root, name) == "refused"
        assert failure(root, name, follow_links=True) == "refused"
    assert failure(root, "loop", follow_links=True) == "missing"


def test_the_root_may_be_a_link(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert find_video(link, "a") == link / "a.mp4"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_closed_folder_is_missing(root):
    (root / "Class").chmod(0)
    assert failure(root, "Class/v_x") == "missing"
    (root / "Class").chmod(0o700)
