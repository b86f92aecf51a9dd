"""Rows of a Parquet pack: entries to Arrow columns with Hugging Face's feature types, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from reelpack.images.files import Pictures
from reelpack.packs.entries import Array, PackEntry, StoredEntry

_STAMPS = "_pts_seconds"
_METADATA = b"huggingface"
_TEXT: dict[str, Any] = {"dtype": "string", "_type": "Value"}
_COMMON: dict[str, tuple[pa.DataType, dict[str, Any]]] = {
    "clip_id": (pa.string(), _TEXT),
    "label": (pa.int64(), {"dtype": "int64", "_type": "Value"}),
    "label_name": (pa.string(), _TEXT),
    "captions": (pa.list_(pa.string()), {"feature": _TEXT, "_type": "List"}),
}
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def make_schema(values: Mapping[str, Array | Pictures]) -> pa.Schema:
    """Return the schema of rows whose crop sets are like these."""
    columns = dict(_COMMON)
    for name, value in values.items():
        if isinstance(value, Pictures):
            columns[name] = pa.list_(_IMAGE), {"feature": {"_type": "Image"}, "_type": "List"}
            stamp = {"dtype": "float64", "_type": "Value"}
            columns[name + _STAMPS] = pa.list_(pa.float64()), {"feature": stamp, "_type": "List"}
        else:
            columns[name] = _make_array_column(value)
    features = {name: feature for name, (_, feature) in columns.items()}
    metadata = {_METADATA: json.dumps({"info": {"features": features}}).encode()}
    return pa.schema([(name, kind) for name, (kind, _) in columns.items()], metadata=metadata)


def _make_array_column(array: Array) -> tuple[pa.DataType, dict[str, Any]]:
    kind = pa.from_numpy_dtype(array.dtype)
    dtype = array.dtype.name
    if array.ndim == 1:
        return pa.list_(kind), {"feature": {"dtype": dtype, "_type": "Value"}, "_type": "List"}
    for _ in range(array.ndim):
        kind = pa.list_(kind)
    shape = [None, *array.shape[1:]]
    return kind, {"shape": shape, "dtype": dtype, "_type": f"Array{array.ndim}D"}


class Columns:
    """Rows on their way into a row group.

    Attributes:
        rows: how many there are.
        bytes: about how large they are.
    """

    def __init__(self, schema: pa.Schema, *, suffix: str) -> None:
        self._schema = schema
        self._suffix = suffix
        self.clear()

    def clear(self) -> None:
        """Forget the rows."""
        self.rows = 0
        self.bytes = 0
        self._values: dict[str, list[Any]] = {name: [] for name in self._schema.names}

    def add(self, entry: StoredEntry) -> None:
        """Add one clip."""
        self.rows += 1
        self._values["clip_id"].append(entry.clip_id)
        self._values["label"].append(entry.label)
        self._values["label_name"].append(entry.notes["label_name"])
        self._values["captions"].append(entry.notes["captions"])
        for name, value in entry.arrays.items():
            if isinstance(value, Pictures):
                files = [
                    {"bytes": data, "path": f"{number:06d}.{self._suffix}"}
                    for number, data in enumerate(value)
                ]
                self.bytes += sum(len(file["bytes"]) for file in files)
                self._values[name].append(files)
                self._values[name + _STAMPS].append(entry.notes["pts_seconds"][name])
            else:
                self.bytes += value.nbytes
                self._values[name].append(value)

    def table(self) -> pa.Table:
        """Return the rows as one chunk."""
        columns = [
            _nest(values, field.type)
            if isinstance(values[0], np.ndarray)
            else pa.array(values, type=field.type)
            for values, field in zip(self._values.values(), self._schema, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _nest(arrays: list[Array], kind: pa.DataType) -> pa.Array:
    """Return arrays [T, ...] of equal shape but for T as lists of lists, without copying to Python."""
    tail = arrays[0].shape[1:]
    values = pa.array(np.concatenate([array.reshape(-1) for array in arrays]))
    for axis in reversed(range(len(tail))):
        count = len(values) // tail[axis] if tail[axis] else 0
        bounds = np.arange(count + 1, dtype=np.int32) * tail[axis]
        values = pa.ListArray.from_arrays(pa.array(bounds), values)
    ends = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values).cast(kind)


def read_row(batch: pa.RecordBatch, number: int) -> Iterator[PackEntry]:
    """Yield what one row holds of each crop set."""
    common = {name: batch.column(name)[number].as_py() for name in _COMMON}
    notes = {"label_name": common["label_name"], "captions": common["captions"]}
    features = json.loads(batch.schema.metadata[_METADATA])["info"]["features"]
    names = [name for name in features if name not in _COMMON and not name.endswith(_STAMPS)]
    stamps = {
        name: batch.column(name + _STAMPS)[number].as_py()
        for name in names
        if name + _STAMPS in features
    }
    if stamps:
        notes["pts_seconds"] = stamps
    for name in names:
        values = batch.column(name)[number].values
        content = _get_files(values) if name in stamps else _get_array(values, features[name])
        yield PackEntry(name, common["clip_id"], common["label"], content, notes)


def _get_files(values: pa.StructArray) -> Pictures:
    files = values.field("bytes")

    def read(number: int) -> bytes:
        data: bytes = files[number].as_py()
        return data

    return Pictures(len(files), read)


def _get_array(values: pa.Array, feature: Mapping[str, Any]) -> Array:
    tail = feature.get("shape", [None])[1:]
    count = len(values)
    for _ in tail:
        values = values.flatten()
    flat: Array = values.to_numpy(zero_copy_only=False)
    return flat.reshape(count, *tail)
