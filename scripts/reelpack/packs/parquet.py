"""A folder that Hugging Face `datasets` loads: `data/{split}-00000-of-0000N.parquet` and `README.md`.

One row per clip, in list order: `clip_id`, `label`, `label_name`, `captions`, and per crop set one
column of its name: tokens and features as `ArrayND` with a free first axis, frames as a list of
`Image` with `{crop set}_pts_seconds` beside it. The feature types stand in the files' own metadata.
The split `all` is called `train`, since `all` means something else there.

Settings read: `samples_per_shard`, the clips per file (default 10000); `image` and `quality` of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.errors import ClipError, UserError
from reelpack.images.files import SUFFIXES, FrameSequence, Pictures
from reelpack.packs.access import Clips, OpensLate, PackPart
from reelpack.packs.content import ContentFormat
from reelpack.packs.entries import Array, Entry, PackContext, PackEntry, StoredEntry
from reelpack.packs.parquet_columns import Columns, make_schema, read_row

_DATA = "data"
_README = "README.md"
# A reader that wants one clip reads its row group.
_GROUP_BYTES = 1 << 20
_GROUP_ROWS = 100
# Arrow counts the bytes of a column's chunk in 31 bits; JPEG files may be larger than the PNG files.
_LARGEST_CLIP_BYTES = 1 << 30


class ParquetFiles(ContentFormat):
    """Parquet files with feature types, and a dataset card."""

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return arrays as they are, and frames as the image files that the recipe asks for.

        Raises:
            ClipError: the clip has no frames, or they are too large for such files or for a row.
            UserError: an array has more than five axes.
        """
        for name, value in entry.arrays.items():
            if isinstance(value, FrameSequence):
                if value.stored_bytes > _LARGEST_CLIP_BYTES:
                    size = value.stored_bytes >> 20
                    raise ClipError("pack", f"{size} MiB of frames are more than a row can hold")
            elif not 1 <= value.ndim <= 5:
                raise UserError(f"parquet: {name} has {value.ndim} axes; allowed: 1 to 5")
        return super().store(entry, context)

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the files and the card; at least one file, which may have no rows."""
        data = folder / _DATA
        data.mkdir()
        with _Files(data, context) as files:
            for entry in entries:
                files.add(entry)
        split = rename_split(context.split)
        for number, path in enumerate(files.paths):
            path.rename(data / f"{split}-{number:05d}-of-{len(files.paths):05d}.parquet")
        (folder / _README).write_text(_make_card(context), encoding="utf-8")

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield the files."""
        for path in _list_files(folder):
            name = f"{_DATA}/{path.name}"
            yield PackPart(name, [name], partial(_read_file, path))

    def open(self, folder: Path) -> Clips:
        """Return the rows in list order."""
        return _ParquetClips(_list_files(folder))


FORMAT = ParquetFiles()


def rename_split(split: str) -> str:
    """Return what `datasets` is to call a split."""
    return "train" if split == "all" else split


def _list_files(folder: Path) -> list[Path]:
    return sorted((folder / _DATA).glob("*-?????-of-?????.parquet"))


def _read_file(path: Path) -> Iterator[PackEntry]:
    return _ParquetClips([path]).read_all()


class _ParquetClips(OpensLate[list[pq.ParquetFile]], Clips):
    """The rows of files.

    A clip is read with its row group, and the last row group stays in memory: going through the rows
    in order reads each once. For shuffled access convert the pack with Hugging Face `datasets`.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._groups: list[tuple[int, int]] = []
        rows = [0]
        for number, path in enumerate(paths):
            about = pq.read_metadata(path)
            for group in range(about.num_row_groups):
                self._groups.append((number, group))
                rows.append(about.row_group(group).num_rows)
        self._ends = np.cumsum(rows)
        self._cached: tuple[int, pa.RecordBatch] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, number: int) -> Iterator[PackEntry]:
        """Read a row."""
        group = int(np.searchsorted(self._ends, number, side="right")) - 1
        return read_row(self._read_group(group), number - int(self._ends[group]))

    def _open(self) -> list[pq.ParquetFile]:
        return [pq.ParquetFile(path) for path in self._paths]

    def _read_group(self, group: int) -> pa.RecordBatch:
        if self._cached is None or self._cached[0] != group:
            file, part = self._groups[group]
            table = self._get_handle()[file].read_row_group(part, use_threads=False)
            self._cached = group, table.combine_chunks().to_batches()[0]
        return self._cached[1]

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "_cached": None}


class _Files:
    """Writes rows, beginning a new file when one has its number of clips."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._folder = folder
        self._rows = int(FORMAT.get_setting(context, "samples_per_shard"))
        self._suffix = SUFFIXES[FORMAT.get_image(context)[0]]
        self._variants = [variant.name for variant in context.variants]
        self._schema: pa.Schema | None = None
        self._shapes: dict[str, tuple[Any, ...]] = {}
        self._columns: Columns | None = None
        self._writer: pq.ParquetWriter | None = None
        self._in_file = 0
        self.paths: list[Path] = []

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None:
            if self._schema is None:
                self._begin(make_schema({}))
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, entry: StoredEntry) -> None:
        """Add a clip's row."""
        if self._schema is None:
            self._shapes = {name: _get_shape(value) for name, value in entry.arrays.items()}
            self._begin(make_schema(entry.arrays))
        elif self._in_file == self._rows:
            self._flush()
            self._begin(self._schema)
        for name, value in entry.arrays.items():
            if _get_shape(value) != self._shapes[name]:
                raise UserError(
                    f"parquet: {name} of clip {entry.clip_id} is {_get_shape(value)}, that of clips"
                    f" before it {self._shapes[name]}; a column holds one shape but for the first axis"
                )
        assert self._columns is not None
        self._columns.add(entry)
        self._in_file += 1
        if self._columns.bytes >= _GROUP_BYTES or self._columns.rows == _GROUP_ROWS:
            self._flush()

    def _begin(self, schema: pa.Schema) -> None:
        if self._writer is not None:
            self._writer.close()
        self._schema = schema
        self._columns = Columns(schema, suffix=self._suffix)
        self._in_file = 0
        # Their final names say how many there are.
        self.paths.append(self._folder / f"part-{len(self.paths)}")
        texts = ["clip_id", "label_name", "captions.list.element"]
        compressed = {
            name: "none" if "struct" in str(schema.field(name).type) else "zstd"
            for name in schema.names
        }
        self._writer = pq.ParquetWriter(
            self.paths[-1],
            schema,
            use_dictionary=texts,
            compression=_name_leaves(schema, compressed),
        )

    def _flush(self) -> None:
        assert self._columns is not None
        assert self._writer is not None
        if self._columns.rows:
            self._writer.write_table(self._columns.table())
        self._columns.clear()


def _get_shape(value: Array | Pictures) -> tuple[Any, ...]:
    return () if isinstance(value, Pictures) else (value.dtype.str, *value.shape[1:])


def _name_leaves(schema: pa.Schema, by_column: dict[str, str]) -> dict[str, str]:
    """Return a setting by the leaf paths that Parquet knows, from one by column."""
    empty = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), empty)
    leaves = pq.ParquetFile(pa.BufferReader(empty.getvalue())).schema
    paths = [leaves.column(number).path for number in range(len(leaves))]
    return {path: by_column[path.split(".")[0]] for path in paths}


def _make_card(context: PackContext) -> str:
    split = rename_split(context.split)
    columns = "".join(f"* `{variant.name}`\n" for variant in context.variants)
    return f"""---
configs:
- config_name: default
  data_files:
  - split: {split}
    path: {_DATA}/{split}-*
---
# {context.dataset}, {context.split}: {context.recipe}

One row per clip: `clip_id`, `label`, `label_name`, `captions`, and the crop sets

{columns}
`datasets.load_dataset` opens this folder. How it was made stands in `provenance.json`, what is missing
in `failures.csv`.
"""
