"""Lines of tab-separated fields with the byte offset of each line beside, as image-text trainers read.

`NAME.tsv`, `NAME.lineidx` (one decimal offset per line) and, where asked for, `NAME.lineidx.8b` (the same as
unsigned 64-bit little-endian numbers). Readers seek to an offset and read one line.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from reelpack.images.files import Pictures
from reelpack.packs.access import Lines

NO_FIELD = "the id's last part is empty, or has a tab, a line break, a zero byte or outer spaces"


class TsvWriter(ExitStack):
    """Writes lines and their offsets.

    Args:
        path: ends in `.tsv`.
        binary_index: write the `.8b` file too.
    """

    def __init__(self, path: Path, *, binary_index: bool = False) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        index = path.with_suffix(".lineidx")
        self._lines = self.enter_context(path.open("wb"))
        self._index = self.enter_context(index.open("wb"))
        self._binary = None
        if binary_index:
            self._binary = self.enter_context(index.with_name(f"{index.name}.8b").open("wb"))

    def add(self, fields: Sequence[str | bytes]) -> None:
        """Add a line; no field may hold a tab or a line break."""
        offset = self._lines.tell()
        self._index.write(f"{offset}\n".encode())
        if self._binary is not None:
            self._binary.write(struct.pack("<Q", offset))
        encoded = [field if isinstance(field, bytes) else field.encode() for field in fields]
        self._lines.write(b"\t".join(encoded) + b"\n")


class TsvTable:
    """The lines of a file, by number; the offsets in memory are its own, not those of `NAME.lineidx`."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> list[bytes]:
        """Return the fields of a line."""
        return _split(self._lines[number])


def read_lines(path: Path) -> Iterator[list[bytes]]:
    """Yield the fields of each line, and see that the offsets are those of the lines.

    Raises:
        OSError: a file is missing.
        ValueError: an offset is wrong, or there are more or fewer of them than lines.
    """
    index = path.with_suffix(".lineidx")
    with path.open("rb") as lines, index.open("rb") as offsets:
        place = 0
        for line in lines:
            if offsets.readline() != f"{place}\n".encode():
                raise ValueError(f"{index.name} does not fit {path.name} at byte {place}")
            place += len(line)
            yield _split(line.removesuffix(b"\n"))
        if offsets.readline():
            raise ValueError(f"{index.name} has more lines than {path.name}")


def _split(line: bytes) -> list[bytes]:
    return line.split(b"\t")


def fits_a_field(text: str) -> bool:
    """Whether readers in text mode give a field back as it was; see `NO_FIELD`."""
    return bool(text) and text == text.strip() and not set(text) & {"\t", "\n", "\r", "\0"}


def encode_files(files: Iterable[bytes]) -> list[bytes]:
    """Return image files as base64 fields."""
    return [base64.b64encode(data) for data in files]


def decode_fields(fields: Sequence[str | bytes]) -> Pictures:
    """Return base64 fields as the files that they hold.

    Raises:
        ValueError: when a file is asked for whose field is not base64.
    """
    return Pictures(len(fields), partial(_decode_field, fields))


def _decode_field(fields: Sequence[str | bytes], number: int) -> bytes:
    return base64.b64decode(fields[number], validate=True)
