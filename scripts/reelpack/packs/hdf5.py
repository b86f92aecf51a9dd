"""One HDF5 file, `{recipe}.h5`, that h5py opens.

Datasets, one row per clip in list order: `clip_id` (text), `label` (int64) with `has_label` (bool),
`label_name` (text, "" for none) and `captions` (a JSON list of texts). Each crop set is a group with
`rows`, int64[clips + 1]: clip i has the rows `rows[i]:rows[i + 1]` of the others. Tokens and features:
`values` [sum of T, ...]. Frames: image file i is `bytes[ends[i]:ends[i + 1]]`, its time stamp
`pts_seconds[i]`, so `rows` counts frames.

Settings read: `image` and `quality` of frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.core.results import canonical
from reelpack.images.files import Pictures
from reelpack.packs.access import Clips, OpensLate, PackPart
from reelpack.packs.content import ContentFormat
from reelpack.packs.entries import Array, Entry, PackContext, PackEntry, StoredEntry

_CHUNK_BYTES = 1 << 18
_TEXT = h5py.string_dtype()
_CLIPS: dict[str, Any] = {
    "clip_id": _TEXT,
    "label": np.int64,
    "has_label": np.bool_,
    "label_name": _TEXT,
    "captions": _TEXT,
}


class Hdf5File(ContentFormat):
    """`{recipe}.h5`."""

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return arrays as they are, and frames as the image files that the recipe asks for.

        Raises:
            ClipError: the clip has no frames, they are too large for such files, or a text holds
                NUL, which ends texts in HDF5.
        """
        if "\0" in entry.clip_id or "\0" in (entry.label_name or ""):
            raise ClipError(
                "pack", "HDF5 texts cannot hold NUL, and the id or the class's name does"
            )
        # An empty name is written as none is.
        return super().store(replace(entry, label_name=entry.label_name or None), context)

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the file."""
        path = folder / f"{context.recipe}.h5"
        with h5py.File(path, "w", libver=("v110", "v110")) as file:
            clips = {name: _Column(file, name, dtype=kind) for name, kind in _CLIPS.items()}
            sets: dict[str, _CropSet] = {}
            for entry in entries:
                for name, value in _describe(entry).items():
                    clips[name].append([value])
                for name, content in entry.arrays.items():
                    if name not in sets:
                        sets[name] = _CropSet(file, name, content)
                    sets[name].add(entry, content)
            for column in clips.values():
                column.flush()
            for crop_set in sets.values():
                crop_set.flush()

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield the file."""
        for path in sorted(folder.glob("*.h5")):
            yield PackPart(path.name, [path.name], partial(_read_file, path))

    def open(self, folder: Path) -> Clips:
        """Return the clips in list order."""
        (path,) = folder.glob("*.h5")
        return _Hdf5Clips(path)


FORMAT = Hdf5File()


def _read_file(path: Path) -> Iterator[PackEntry]:
    return _Hdf5Clips(path).read_all()


class _Hdf5Clips(OpensLate[h5py.File], Clips):
    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            self._length = len(file["clip_id"])

    def __len__(self) -> int:
        return self._length

    def read(self, number: int) -> Iterator[PackEntry]:
        """Read a clip."""
        return _read_clip(self._get_handle(), number)

    def _open(self) -> h5py.File:
        return h5py.File(self._path, "r")


def _read_clip(file: h5py.File, number: int) -> Iterator[PackEntry]:
    """Yield what the file holds of each crop set of a clip."""
    clip_id = file["clip_id"].asstr()[number]
    label = int(file["label"][number]) if file["has_label"][number] else None
    notes: dict[str, Any] = {
        "label_name": file["label_name"].asstr()[number] or None,
        "captions": json.loads(file["captions"].asstr()[number]),
    }
    groups = {name: item for name, item in file.items() if isinstance(item, h5py.Group)}
    bounds = {name: slice(*map(int, g["rows"][number : number + 2])) for name, g in groups.items()}
    stamps = {
        name: group["pts_seconds"][bounds[name]].tolist()
        for name, group in groups.items()
        if "pts_seconds" in group
    }
    if stamps:
        notes["pts_seconds"] = stamps
    for name, group in groups.items():
        content = (
            _get_files(group, bounds[name]) if name in stamps else group["values"][bounds[name]]
        )
        yield PackEntry(name, clip_id, label, content, notes)


def _get_files(group: h5py.Group, rows: slice) -> Pictures:
    ends = group["ends"][rows.start : rows.stop + 1]
    return Pictures(rows.stop - rows.start, partial(_read_image, group["bytes"], ends))


def _read_image(data: h5py.Dataset, ends: Array, number: int) -> bytes:
    start, end = ends[number : number + 2]
    return bytes(data[int(start) : int(end)].tobytes())


def _describe(entry: StoredEntry) -> dict[str, Any]:
    return {
        "clip_id": entry.clip_id,
        "label": 0 if entry.label is None else entry.label,
        "has_label": entry.label is not None,
        "label_name": entry.notes["label_name"] or "",
        "captions": canonical(entry.notes["captions"]),
    }


class _Column:
    """One dataset that grows by whole chunks: the same rows give the same bytes, and few calls."""

    def __init__(
        self, place: h5py.Group, name: str, *, dtype: Any, shape: tuple[int, ...] = ()
    ) -> None:
        kind = np.dtype(dtype)
        row_bytes = max(1, kind.itemsize * int(np.prod(shape)))
        self._chunk = max(1, _CHUNK_BYTES // row_bytes)
        self._data = place.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(self._chunk, *shape),
            dtype=kind,
            track_times=False,
        )
        self._waiting: list[Any] = []
        self._rows = 0

    def append(self, rows: Any) -> None:
        """Add rows behind the others."""
        self._waiting.append(rows)
        self._rows += len(rows)
        if self._rows >= self._chunk:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._rows:
            start = len(self._data)
            self._data.resize(start + self._rows, axis=0)
            texts = h5py.check_string_dtype(self._data.dtype) is not None
            self._data[start:] = (
                [text for part in self._waiting for text in part]
                if texts
                else np.concatenate([np.asarray(part) for part in self._waiting])
            )
        self._waiting.clear()
        self._rows = 0


class _CropSet:
    """The group of one crop set."""

    def __init__(self, file: h5py.File, name: str, first: Array | Pictures) -> None:
        self._name = name
        self._group = file.create_group(name)
        self._columns = {"rows": _Column(self._group, "rows", dtype=np.int64)}
        self._columns["rows"].append([0])
        self._rows = 0
        self._bytes = 0
        self._like: Array | None = None
        if isinstance(first, Pictures):
            for part, dtype in (
                ("bytes", np.uint8),
                ("ends", np.int64),
                ("pts_seconds", np.float64),
            ):
                self._columns[part] = _Column(self._group, part, dtype=dtype)
            self._columns["ends"].append([0])
        else:
            self._like = first[:0]
            self._columns["values"] = _Column(
                self._group, "values", dtype=first.dtype, shape=first.shape[1:]
            )

    def add(self, entry: StoredEntry, content: Array | Pictures) -> None:
        """Add a clip's rows."""
        self._rows += len(content)
        self._columns["rows"].append([self._rows])
        if isinstance(content, Pictures):
            for data in content:
                self._bytes += len(data)
                self._columns["bytes"].append(np.frombuffer(data, np.uint8))
                self._columns["ends"].append([self._bytes])
            self._columns["pts_seconds"].append(entry.notes["pts_seconds"][self._name])
            return
        like = self._like
        if like is None or (content.dtype, content.shape[1:]) != (like.dtype, like.shape[1:]):
            raise UserError(
                f"hdf5: {self._name} of clip {entry.clip_id} has another shape than that of clips"
                " before it; allowed is one but for the first axis"
            )
        self._columns["values"].append(content)

    def flush(self) -> None:
        """Write what waits."""
        for column in self._columns.values():
            column.flush()
