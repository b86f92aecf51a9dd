"""What makes own videos be looked at again, and what does not."""

import os

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.fingerprints import fingerprint, signature
from tests.support.helpers import write


def test_a_touched_file_keeps_its_fingerprint_and_a_replaced_one_does_not(tmp_path):
    file = write(tmp_path / "v" / "a.mp4", bytes(300_000))
    mark, state = fingerprint(str(file)), signature(tmp_path / "v")
    os.utime(file, (1, 1))
    assert fingerprint(str(file)) == mark
    assert signature(tmp_path / "v") != state
    for place in (0, 150_000, 299_999):
        changed = bytearray(300_000)
        changed[place] = 1
        assert fingerprint(str(write(file, bytes(changed)))) != mark
    assert fingerprint(str(write(file, bytes(300_001)))) != mark
    assert fingerprint(str(tmp_path / "none")) == ""
    assert fingerprint(str(write(tmp_path / "empty"))) != ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "caption,path\nx,b.mp4\ny,a.mp4\n"),
        ("list.csv", '\ufeffpath,caption\r\n"a.mp4","x, ""y""\nz"\r\n\r\nb.mp4,\r\n'),
        ("list.tsv", "label\tpath\n1\ta.mp4\n"),
        ("list.CSV", " path ,label\na.mp4,1\n"),
    ],
)
def test_the_signature_of_a_list_follows_its_videos(tmp_path, name, text):
    path = write(tmp_path / name, text)
    first = signature(path)
    write(tmp_path / "a.mp4")
    second = signature(path)
    write(tmp_path / "a.mp4", b"longer video")
    assert len({first, second, signature(path)}) == 3


def test_a_signature_of_a_bad_list_is_its_mistake(tmp_path):
    with pytest.raises(UserError, match="no column 'path'"):
        signature(write(tmp_path / "list.csv", "clip_id\na\n"))
    assert signature(write(tmp_path / "nul.csv", b"path\na\0b\n"))
