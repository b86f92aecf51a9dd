"""Which clip lies where, for formats whose files cannot say it: `clips.jsonl` or `videos.csv`.

The fields of a dataclass are the keys, or the columns, of such a file, and their types are checked.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import (
    Any,
    Generic,
    Protocol,
    Self,
    TextIO,
    TypeVar,
    get_origin,
    get_type_hints,
)

from reelpack.core.results import canonical
from reelpack.images.files import Pictures
from reelpack.packs.access import Clips, Lines, PackPart
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import Array, PackEntry, StoredEntry

LISTING = "clips.jsonl"
VIDEOS = "videos.csv"


class ClipFiles(Protocol):
    """A row of a clip that has files of its own."""

    @property
    def clip_id(self) -> str:
        """The clip."""

    @property
    def variant(self) -> str:
        """The crop set that the pack holds."""

    def list_files(self) -> list[str]:
        """Return the clip's files, relative to the pack."""

    def read(self, folder: Path) -> PackEntry:
        """Read the clip from a pack."""


Row = TypeVar("Row")
Item = TypeVar("Item", covariant=True)


class Rows(Protocol[Item]):
    """What can be had by number, from 0."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Item: ...


class ClipTable(ABC, Generic[Row]):
    """One of the two files, whose rows are a dataclass."""

    name: str

    def __init__(self, row: type[Row]) -> None:
        self.row = row
        # Of a mapping it is only looked at whether it is one.
        self.kinds: dict[str, Any] = {
            name: dict if get_origin(kind) is dict else kind
            for name, kind in get_type_hints(row).items()
        }

    @abstractmethod
    def iterate(self, folder: Path) -> Iterable[Row]:
        """Return the rows of a pack in their order.

        Raises:
            ValueError: the file is not as it was written.
        """

    def index(self, folder: Path) -> Rows[Row]:
        """Return the rows of a pack by number."""
        return list(self.iterate(folder))


@dataclass(frozen=True)
class ListedClip:
    """What every line of `clips.jsonl` says; formats add to it."""

    clip_id: str
    label: int | None
    notes: dict[str, Any]
    variant: str

    @classmethod
    def describe(cls, entry: StoredEntry, variant: str, **more: Any) -> Self:
        """Return the line of an entry, with what the format adds."""
        return cls(entry.clip_id, entry.label, dict(entry.notes), variant, **more)

    def make_entry(self, value: Array | Pictures, variant: str | None = None) -> PackEntry:
        """Return what was read of the clip, in its crop set unless another is named."""
        return PackEntry(variant or self.variant, self.clip_id, self.label, value, self.notes)


@dataclass(frozen=True)
class ImageFilesClip(ListedClip):
    """A clip that is image files, one per frame."""

    @abstractmethod
    def list_files(self) -> list[str]:
        """Return the files in order, relative to the pack."""

    def read(self, folder: Path) -> PackEntry:
        """Return the files, each read when asked for."""
        files = self.list_files()
        return self.make_entry(Pictures(len(files), partial(_read_file, folder, files)))

    def write(self, folder: Path, files: Pictures) -> None:
        """Write the files; their folder is there."""
        for name, data in zip(self.list_files(), files, strict=True):
            (folder / name).write_bytes(data)


def _read_file(folder: Path, files: list[str], number: int) -> bytes:
    return (folder / files[number]).read_bytes()


Listed = TypeVar("Listed", bound=ListedClip)


class JsonTable(ClipTable[Listed]):
    """`clips.jsonl`: one JSON object per line."""

    name = LISTING

    @contextmanager
    def writing(self, folder: Path) -> Iterator[ListingWriter]:
        """Open the file to write it."""
        with (folder / self.name).open("w", encoding="utf-8", newline="") as file:
            yield ListingWriter(file)

    def iterate(self, folder: Path) -> Iterator[Listed]:
        """Yield the lines in their order."""
        with (folder / self.name).open("rb") as file:
            for number, line in enumerate(file):
                yield self.parse(line, number)

    def index(self, folder: Path) -> Rows[Listed]:
        """Return the lines by number; memory holds eight bytes for each."""
        return _JsonRows(self, folder)

    def parse(self, line: bytes, number: int) -> Listed:
        """Return one line.

        Raises:
            ValueError: it is not as it was written.
        """
        row = json.loads(line)
        if (
            not isinstance(row, dict)
            or row.keys() != self.kinds.keys()
            or not all(isinstance(row[key], kind) for key, kind in self.kinds.items())
        ):
            raise ValueError(f"line {number + 1} is not as it was written")
        return self.row(**row)


class ListingWriter:
    """Writes `clips.jsonl`, line by line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, clip: ListedClip) -> None:
        """Add a clip."""
        self._file.write(canonical(vars(clip)) + "\n")


class _JsonRows(Generic[Listed]):
    def __init__(self, table: JsonTable[Listed], folder: Path) -> None:
        self._table = table
        self._lines = Lines(folder / table.name)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> Listed:
        return self._table.parse(self._lines[number], number)


class CsvTable(ClipTable[Row]):
    """`videos.csv`: a head line, and texts in quotes."""

    name = VIDEOS

    def write(self, folder: Path, rows: Iterable[Any]) -> None:
        """Write the file."""
        with (folder / self.name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            table.writerow(self.kinds)
            for row in rows:
                table.writerow(["" if cell is None else cell for cell in astuple(row)])

    def iterate(self, folder: Path) -> list[Row]:
        """Return the rows in their order."""
        with (folder / self.name).open(encoding="utf-8", newline="") as file:
            table = csv.reader(file, strict=True)
            try:
                if next(table, None) != list(self.kinds):
                    raise ValueError(f"its columns are not {', '.join(self.kinds)}")
                return [self._parse(cells) for cells in table]
            except csv.Error as error:
                raise ValueError(str(error)) from error

    def _parse(self, cells: list[str]) -> Row:
        return self.row(
            *(
                cell if kind is str else int(cell) if cell or kind is int else None
                for cell, kind in zip(cells, self.kinds.values(), strict=True)
            )
        )


class ListedFormat(PackFormat):
    """A format that gives each clip files of its own, which a table tells of."""

    table: ClipTable[Any]

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield the clips that the table tells of."""
        rows: Iterable[ClipFiles] = self.table.iterate(folder)
        for clip in rows:
            yield PackPart(
                clip.clip_id,
                clip.list_files(),
                lambda clip=clip: [clip.read(folder)],  # type: ignore[misc]
                clip.variant,
                clip.clip_id,
            )

    def open(self, folder: Path) -> Clips:
        """Return the clips in the table's order."""
        return _ListedClips(folder, self.table.index(folder))


class _ListedClips(Clips):
    def __init__(self, folder: Path, rows: Rows[ClipFiles]) -> None:
        self._folder = folder
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, number: int) -> list[PackEntry]:
        """Read a clip."""
        return [self._rows[number].read(self._folder)]


@contextmanager
def waiting_folder(folder: Path) -> Iterator[Path]:
    """Give a folder for files whose names are known only when the last clip has come; it must be left
    empty.
    """
    waiting = folder / ".waiting"
    waiting.mkdir()
    yield waiting
    waiting.rmdir()
