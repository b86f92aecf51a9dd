"""What makes own videos be looked at again, and what does not."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelpack.core.errors import UserError
from reelpack.core.files import sha256_file
from reelpack.lists import fingerprints
from reelpack.lists.fingerprints import Fingerprints, fingerprint, signature
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


class Split:
    """A split's folder, in which make_manifest takes fingerprints and download_shard leaves hashes."""

    def __init__(self, folder):
        self.folder = folder / "results"
        self.file = folder / "a.mp4"

    def write(self, middle=b"\0", *, size=400_000, time=None):
        data = bytearray(size)
        data[100_000:100_001] = middle
        write(self.file, bytes(data))
        if time is not None:
            os.utime(self.file, (time, time))

    def take(self):
        marks = Fingerprints(self.folder)
        (mark,) = marks.take([str(self.file)])
        marks.save()
        return mark

    def download(self):
        table = pa.table({"path": [str(self.file)], "sha256": [sha256_file(self.file)]})
        (self.folder / "downloads").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.folder / "downloads" / "00000.parquet")


@pytest.fixture
def split(tmp_path):
    return Split(tmp_path)


def test_a_repaired_middle_is_another_content(split):
    split.write(time=1)
    first = split.take()
    split.download()
    split.write(b"\1", time=2)
    assert fingerprint(str(split.file)) == first
    repaired = split.take()
    assert repaired != first
    split.write(b"\2", time=3)
    assert len({first, repaired, split.take()}) == 3


def test_a_touched_file_is_the_same_content_where_its_hash_is_known(split):
    split.write(time=1)
    first = split.take()
    split.download()
    os.utime(split.file, (2, 2))
    assert split.take() == first
    # The hash is kept: what was downloaded need not be looked at again.
    (split.folder / "downloads" / "00000.parquet").unlink()
    os.utime(split.file, (3, 3))
    assert split.take() == first


def test_a_touched_file_that_nobody_hashed_is_looked_at_once(split):
    split.write(time=1)
    first = split.take()
    os.utime(split.file, (2, 2))
    second = split.take()
    os.utime(split.file, (3, 3))
    assert second not in ("", first)
    assert split.take() == second


def test_the_samples_of_a_small_file_are_its_content(split):
    split.write(size=3 << 16, time=1)
    first = split.take()
    os.utime(split.file, (2, 2))
    assert split.take() == first
    split.write(b"\1", size=3 << 16, time=3)
    assert split.take() != first


def test_a_copy_with_its_old_time_is_noticed_by_its_size(split):
    split.write(time=1)
    first = split.take()
    split.write(size=400_001, time=1)
    assert split.take() != first


def test_a_file_that_comes_back_changed_is_not_taken_for_the_old_one(split):
    split.write(time=1)
    first = split.take()
    split.file.unlink()
    assert split.take() == ""
    split.write(time=1)
    assert split.take() == first
    split.file.unlink()
    split.take()
    split.write(b"\1", time=2)
    assert split.take() not in ("", first)


def test_an_old_content_that_was_never_downloaded_since_is_not_taken_for_the_new_one(split):
    split.write(time=1)
    split.take()
    split.download()
    split.write(b"\1", time=2)
    second = split.take()
    split.write(time=3)
    assert split.take() != second


def test_an_unchanged_file_is_not_opened(split, monkeypatch):
    split.write(time=1)
    first = split.take()
    monkeypatch.setattr(fingerprints, "fingerprint", None)
    monkeypatch.setattr(fingerprints, "sha256_file", None)
    assert split.take() == first


def test_a_damaged_memory_is_none(split):
    split.write(time=1)
    first = split.take()
    write(split.folder / "journal/make_manifest/files.parquet", b"PAR1")
    split.write(b"\1", time=2)
    assert split.take() == first
