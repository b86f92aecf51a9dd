"""TSV files with the offsets of their lines."""

import struct

import pytest

from reelpack.packs.image_tsv import TsvWriter, fits_a_field, read_lines

LINES = [["a", b"AAAA", "BBBB"], ["ü😀", ""], ["c"]]
ENCODED = [[f if isinstance(f, bytes) else f.encode() for f in line] for line in LINES]


@pytest.fixture
def path(tmp_path):
    with TsvWriter(tmp_path / "sub/x.img.tsv", binary_index=True) as writer:
        for line in LINES:
            writer.add(line)
    return tmp_path / "sub/x.img.tsv"


def test_offsets_in_text_and_binary_lead_to_the_lines(path):
    offsets = [int(line) for line in path.with_suffix(".lineidx").read_text().split()]
    binary = path.with_name("x.img.lineidx.8b").read_bytes()
    assert [n for (n,) in struct.iter_unpack("<Q", binary)] == offsets
    with path.open() as file:
        for offset, line in zip(offsets, ENCODED, strict=True):
            file.seek(offset)
            assert file.readline().rstrip("\n").encode().split(b"\t") == line


def test_lines_come_back(path):
    assert list(read_lines(path)) == ENCODED


@pytest.mark.parametrize("index", ["0\n", "0\n12\n20\n99\n", "0\n13\n20\n"])
def test_a_wrong_index_is_noticed(path, index):
    path.with_suffix(".lineidx").write_text(index)
    with pytest.raises(ValueError, match="lineidx"):
        list(read_lines(path))


def test_what_fits_a_field():
    assert fits_a_field("a b'\"😀")
    for text in ("a\tb", "a\nb", "a\rb", " a", "a "):
        assert not fits_a_field(text)
