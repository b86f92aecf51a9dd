"""Lines of tab-separated fields with the byte offset of each line beside, as image-text trainers read.

`NAME.tsv`, `NAME.lineidx` (one decimal offset per line) and, where asked for, `NAME.lineidx.8b` (the same as
unsigned 64-bit little-endian numbers). Readers seek to an offset and read one line.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType

NO_FIELD = "the id's last part is empty, or has a tab, a line break, a zero byte or outer spaces"


class TsvWriter(AbstractContextManager["TsvWriter"]):
    """Writes lines and their offsets.

    Args:
        path: ends in `.tsv`.
        binary_index: write the `.8b` file too.
    """

    def __init__(self, path: Path, *, binary_index: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        index = path.with_suffix(".lineidx")
        self._stack = ExitStack()
        self._lines = self._stack.enter_context(path.open("wb"))
        self._index = self._stack.enter_context(index.open("wb"))
        self._binary = None
        if binary_index:
            binary = index.with_name(f"{index.name}.8b")
            self._binary = self._stack.enter_context(binary.open("wb"))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, fields: Sequence[str | bytes]) -> None:
        """Add a line; no field may hold a tab or a line break."""
        offset = self._lines.tell()
        self._index.write(f"{offset}\n".encode())
        if self._binary is not None:
            self._binary.write(struct.pack("<Q", offset))
        encoded = [field if isinstance(field, bytes) else field.encode() for field in fields]
        self._lines.write(b"\t".join(encoded) + b"\n")


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
            yield line.removesuffix(b"\n").split(b"\t")
        if offsets.readline():
            raise ValueError(f"{index.name} has more lines than {path.name}")


def fits_a_field(text: str) -> bool:
    """Whether readers in text mode give a field back as it was; see `NO_FIELD`."""
    return bool(text) and text == text.strip() and not set(text) & {"\t", "\n", "\r", "\0"}
