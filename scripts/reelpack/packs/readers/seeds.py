"""Readers of VIOLET's and FAVDBench's packs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from torch.utils.data import Dataset

from reelpack.images.files import Pictures
from reelpack.packs.base import AUDIO, Array
from reelpack.packs.favd_frames import picture_files
from reelpack.packs.listing import LISTING
from reelpack.packs.mp3_hdf import FILES
from reelpack.packs.pickle_stream import read_arrays, read_texts
from reelpack.packs.readers.base import OpensLate, Sample, content
from reelpack.packs.violet import decoded


class _Listed(ABC, Dataset[Sample]):
    """The clips of a pack in list order; memory holds eight bytes of the listing for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = _offsets(folder / LISTING)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Sample:
        row = json.loads(_line(self._folder / LISTING, self._lines[index]))
        captions = row["notes"]["captions"]
        arrays = self._arrays(index, row)
        return Sample(row["clip_id"], arrays, row["label"], captions[0] if captions else None)

    @abstractmethod
    def _arrays(self, index: int, row: dict[str, Any]) -> dict[str, Array]:
        """Read what the pack holds of one clip."""


class VioletFramesPack(_Listed):
    """A `violet_frames` pack: by its TSV files, or by its dictionary, which memory holds then."""

    def __init__(self, folder: Path) -> None:
        """Find the lines of the TSV files, or read the dictionary."""
        super().__init__(folder)
        self._tables = sorted(folder.glob("img_*.tsv"))
        self._offsets = [_offsets(path) for path in self._tables]
        self._texts: dict[str, list[str]] = {}
        if not self._tables:
            with next(folder.glob("img_*.pkl")).open("rb") as stream:
                self._texts = dict(read_texts(stream))

    def _arrays(self, index: int, row: dict[str, Any]) -> dict[str, Array]:
        if self._tables:
            line, part = divmod(index, len(self._tables))
            fields = _line(self._tables[part], self._offsets[part][line]).split(b"\t")[1:]
            return {row["variant"]: content(decoded(fields))}
        return {row["variant"]: content(decoded(self._texts[row["video"]]))}


class VioletVqPack(_Listed):
    """A `violet_vq` pack; memory holds its dictionary, as VIOLET's does."""

    def __init__(self, folder: Path) -> None:
        """Read the dictionary."""
        super().__init__(folder)
        with next(folder.glob("vq_*.pkl")).open("rb") as stream:
            self._tokens = dict(read_arrays(stream))

    def _arrays(self, index: int, row: dict[str, Any]) -> dict[str, Array]:
        del index
        return {row["variant"]: content(self._tokens[row["video"]])}


class FavdPack(OpensLate["h5py.File | None"], _Listed):
    """A `favd_tsv` pack; `audio`, where it has sound, is the mp3 file's bytes, uint8[n]."""

    def __init__(self, folder: Path) -> None:
        """Find the lines of the TSV file."""
        super().__init__(folder)
        (self._table,) = folder.glob("frame_tsv/*.img.tsv")
        self._offsets = _offsets(self._table)

    def _open(self) -> h5py.File | None:
        path = next(self._folder.glob("audio_hdf/*_mp3.hdf"), None)
        return None if path is None else h5py.File(path, "r")

    def _arrays(self, index: int, row: dict[str, Any]) -> dict[str, Array]:
        fields = _line(self._table, self._offsets[index]).split(b"\t")[2:]
        arrays = {row["variant"]: content(decoded(fields))}
        sounds = self._opened()
        if sounds is not None:
            arrays[AUDIO] = np.asarray(sounds[FILES][index])
        return arrays


class FavdFramesPack(_Listed):
    """A `favd_frames` pack."""

    def _arrays(self, index: int, row: dict[str, Any]) -> dict[str, Array]:
        del index
        paths = [self._folder / name for name in picture_files(row)]
        pictures = Pictures(len(paths), lambda number: paths[number].read_bytes())
        return {row["variant"]: content(pictures)}


def _offsets(path: Path) -> array[int]:
    offsets = array("q")
    place = 0
    with path.open("rb") as file:
        for line in file:
            offsets.append(place)
            place += len(line)
    return offsets


def _line(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.readline().removesuffix(b"\n")
