"""States of files stand in results of finished runs, so their form must not change."""

import hashlib
import os

import pytest

from reelpack.core.state import digest_states, file_state
from tests.support.helpers import write


def test_a_digest_is_over_names_sizes_and_times(tmp_path):
    file = write(tmp_path / "é.mp4", b"12345")
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    missing, impossible = str(tmp_path / "none"), str(tmp_path / "a\0b")
    line = f"{file}\0005\0001700000000123456789\n".encode()
    assert file_state(file) == (5, 1_700_000_000_123_456_789)
    assert digest_states([file]) == hashlib.sha256(line).hexdigest()[:32]
    assert digest_states([missing, file, impossible]) == digest_states([file])
    marks = b"".join(f"{name}\0missing\n".encode() for name in (missing, impossible))
    found = digest_states([str(file), missing, impossible], with_missing=True)
    assert found == hashlib.sha256(line + marks).hexdigest()[:32]


def test_names_that_are_not_text_have_a_state_too(tmp_path):
    path = write(tmp_path / os.fsdecode(b"\xff.mp4"), b"x")
    assert digest_states([path]) != digest_states([])


def test_a_missing_file_has_no_state(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_state(tmp_path / "none")
