"""mp3 files in one HDF5 file: `audio_name` (strings) and `mp3` (bytes of each file), aligned by row."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import h5py
import numpy as np

from reelpack.packs.access import OpensLate

_NAMES, _FILES = "audio_name", "mp3"


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

    def __exit__(self, kind: object, *error: object) -> None:
        self._stream.close()
        if kind is None:
            self._write()
        self._spool.unlink()

    def _write(self) -> None:
        count = (len(self._names),)
        with h5py.File(self._path, "w", libver=("earliest", "v110")) as file:
            names = file.create_dataset(_NAMES, count, h5py.string_dtype(), track_times=False)
            files = file.create_dataset(_FILES, count, h5py.vlen_dtype(np.uint8), track_times=False)
            with self._spool.open("rb") as stream:
                for row, (name, size) in enumerate(zip(self._names, self._sizes, strict=True)):
                    names[row] = name
                    files[row] = np.frombuffer(stream.read(size), np.uint8)


class Mp3Table(OpensLate[h5py.File]):
    """The names and files of such a file by row."""

    def __init__(self, path: Path) -> None:
        """See how many there are.

        Raises:
            OSError, KeyError, ValueError: this is not such a file, or it is damaged.
        """
        self._path = path
        with self._open() as file:
            self._length = len(file[_FILES])
            if len(file[_NAMES]) != self._length:
                raise ValueError(f"{len(file[_NAMES])} names and {self._length} files")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: int) -> tuple[str, bytes]:
        """Return a name without ending and the file's bytes."""
        file = self._get_handle()
        return file[_NAMES][row].decode(), file[_FILES][row].tobytes()

    def _open(self) -> h5py.File:
        return h5py.File(self._path, "r")
