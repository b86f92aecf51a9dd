import errno
import os
from pathlib import Path

import pytest

from reelpack.core.files import link_or_copy, replace_file, sha256_file, write_bytes


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "deep" / "a.bin"
    write_bytes(target, b"old")

    def write_and_fail():
        with replace_file(target) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="disk full"):
        write_and_fail()
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_nothing_is_there_before_the_end(tmp_path):
    target = tmp_path / "a.bin"
    with replace_file(target) as temporary:
        temporary.write_bytes(b"x")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp")
    assert target.read_bytes() == b"x"


def test_long_names_can_be_replaced(tmp_path):
    target = tmp_path / ("x" * 250)
    write_bytes(target, b"x")
    assert target.read_bytes() == b"x"


def test_links_share_bytes_replace_and_repeat(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    for _ in range(2):
        link_or_copy(one, two)
        assert two.samefile(one)
    write_bytes(one, b"new")
    assert two.read_bytes() == b"1"
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_where_links_are_not_possible_a_copy_is_made(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "other disk")

    monkeypatch.setattr(os, "link", refuse)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(bytes(3_000_000))
    link_or_copy(one, two)
    assert sha256_file(two) == sha256_file(one)
    assert not two.samefile(one)


def test_sha256(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_files_are_for_all_whom_the_umask_lets(tmp_path):
    private = tmp_path / "private"
    private.touch(mode=0o600)
    with replace_file(tmp_path / "file") as temporary:
        temporary.write_bytes(private.read_bytes())
        temporary.chmod(0o600)
    new = tmp_path / "new"
    new.touch()
    assert (tmp_path / "file").stat().st_mode == new.stat().st_mode
    link_or_copy(private, tmp_path / "linked")
    assert private.stat().st_mode & 0o777 == 0o600
