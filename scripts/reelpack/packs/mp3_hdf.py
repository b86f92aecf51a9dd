"""mp3 files in one HDF5 file: `audio_name` (strings) and `mp3` (bytes of each file), aligned by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

NAMES, FILES = "audio_name", "mp3"


class Mp3Writer(AbstractContextManager["Mp3Writer"]):
    """Takes files one by one; the HDF5 file is written at the end, when their number is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._spool = path.with_name(f".{path.name}.files")
        self._stream = self._spool.open("wb")
        self._names: list[str] = []
        self._sizes: list[int] = []

    def add(self, name: str, data: bytes) -> None:
        """Add a file under its name without ending."""
        self._names.append(name)
        self._sizes.append(len(data))
        self._stream.write(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        if kind is None:
            self._write()
        self._spool.unlink()

    def _write(self) -> None:
        count = (len(self._names),)
        with h5py.File(self._path, "w", libver=("earliest", "v110")) as file:
            names = file.create_dataset(NAMES, count, h5py.string_dtype(), track_times=False)
            files = file.create_dataset(FILES, count, h5py.vlen_dtype(np.uint8), track_times=False)
            with self._spool.open("rb") as stream:
                for row, (name, size) in enumerate(zip(self._names, self._sizes, strict=True)):
                    names[row] = name
                    files[row] = np.frombuffer(stream.read(size), np.uint8)


def read_mp3s(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and files in their order.

    Raises:
        OSError, KeyError, ValueError: this is no such file, or it is damaged.
    """
    with h5py.File(path, "r") as file:
        names, files = file[NAMES], file[FILES]
        if len(names) != len(files):
            raise ValueError(f"{len(names)} names and {len(files)} files")
        for row in range(len(names)):
            yield names[row].decode(), files[row].tobytes()
