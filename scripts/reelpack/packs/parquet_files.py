"""A folder that Hugging Face `datasets` loads: `data/{split}-00000-of-0000N.parquet` and `README.md`.

One row per clip, in list order: `clip_id`, `label`, `label_name`, `captions`, and per crop set one
column of its name: tokens and features as `ArrayND` with a free first axis, frames as a list of
`Image` with `{crop set}_pts_seconds` beside it. The feature types stand in the files' own metadata.
The split `all` is called `train`, since `all` means something else there.

Settings read: `samples_per_shard`, the clips per file (default 10000); `image` and `quality` of frames.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.errors import ClipError, UserError
from reelpack.images.files import SUFFIXES, FrameSequence, Pictures
from reelpack.packs.base import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
)
from reelpack.packs.content import check_content, stored_content
from reelpack.packs.parquet_columns import Columns, read_row, row_schema

SAMPLES_PER_SHARD = 10_000
DATA = "data"
_README = "README.md"
# A reader that wants one clip reads its row group.
_GROUP_BYTES = 1 << 20
_GROUP_ROWS = 100
# Arrow counts the bytes of a column's chunk in 31 bits; JPEG files may be larger than the PNG files.
_LARGEST_CLIP_BYTES = 1 << 30
_READ_ROWS = 16


class ParquetFiles(PackFormat):
    """Parquet files with feature types, and a dataset card."""

    name = "parquet"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when there is no crop set, or no such kind of picture."""
        check_content(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return arrays as they are, and frames as the pictures that the recipe asks for.

        Raises:
            ClipError: the clip has no frames, or they are too large for such pictures or for a row.
            UserError: an array has more than five axes.
        """
        for name, value in entry.arrays.items():
            if isinstance(value, FrameSequence):
                if value.stored_bytes > _LARGEST_CLIP_BYTES:
                    size = value.stored_bytes >> 20
                    raise ClipError("pack", f"{size} MiB of frames are more than a row can hold")
            elif not 1 <= value.ndim <= 5:
                raise UserError(f"parquet: {name} has {value.ndim} axes; allowed: 1 to 5")
        return stored_content(entry, context, what=self.name)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write the files and the card; at least one file, which may have no rows."""
        del failed_ids
        data = folder / DATA
        data.mkdir()
        with _Files(data, context) as files:
            for entry in entries:
                files.add(entry)
        split = split_name(context.split)
        for number, path in enumerate(files.paths):
            path.rename(data / f"{split}-{number:05d}-of-{len(files.paths):05d}.parquet")
        (folder / _README).write_text(_card(context), encoding="utf-8")

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every row of every file."""
        for path in file_paths(folder):
            name = f"{DATA}/{path.name}"
            if name in damaged:
                yield PackDamage(f"{name}: not read again, it is damaged")
                continue
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(_READ_ROWS):
                        for number in range(len(batch)):
                            yield from read_row(batch, number)
            except (OSError, ValueError, KeyError, pa.ArrowException) as error:
                yield PackDamage(f"{name}: {' '.join(str(error).split())}")


def split_name(split: str) -> str:
    """Return what `datasets` is to call a split."""
    return "train" if split == "all" else split


def file_paths(folder: Path) -> list[Path]:
    """Return a pack's Parquet files in order."""
    return sorted((folder / DATA).glob("*-?????-of-?????.parquet"))


class _Files:
    """Writes rows, beginning a new file when one has its number of clips."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._folder = folder
        self._rows = int(context.settings.get("samples_per_shard", SAMPLES_PER_SHARD))
        self._suffix = SUFFIXES[context.settings.get("image", "png")]
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
                self._begin(row_schema({}))
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, entry: StoredEntry) -> None:
        """Add a clip's row."""
        if self._schema is None:
            self._shapes = {name: _shape(value) for name, value in entry.arrays.items()}
            self._begin(row_schema(entry.arrays))
        elif self._in_file == self._rows:
            self._flush()
            self._begin(self._schema)
        for name, value in entry.arrays.items():
            if _shape(value) != self._shapes[name]:
                raise UserError(
                    f"parquet: {name} of clip {entry.clip_id} is {_shape(value)}, that of clips"
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
            self.paths[-1], schema, use_dictionary=texts, compression=_leaves(schema, compressed)
        )

    def _flush(self) -> None:
        assert self._columns is not None
        assert self._writer is not None
        if self._columns.rows:
            self._writer.write_table(self._columns.table())
        self._columns.clear()


def _shape(value: Array | Pictures) -> tuple[Any, ...]:
    return () if isinstance(value, Pictures) else (value.dtype.str, *value.shape[1:])


def _leaves(schema: pa.Schema, by_column: dict[str, str]) -> dict[str, str]:
    """Return a setting by the leaf paths that Parquet knows, from one by column."""
    empty = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), empty)
    leaves = pq.ParquetFile(pa.BufferReader(empty.getvalue())).schema
    paths = [leaves.column(number).path for number in range(len(leaves))]
    return {path: by_column[path.split(".")[0]] for path in paths}


def _card(context: PackContext) -> str:
    split = split_name(context.split)
    columns = "".join(f"* `{variant.name}`\n" for variant in context.variants)
    return f"""---
configs:
- config_name: default
  data_files:
  - split: {split}
    path: {DATA}/{split}-*
---
# {context.dataset}, {context.split}: {context.recipe}

One row per clip: `clip_id`, `label`, `label_name`, `captions`, and the crop sets

{columns}
`datasets.load_dataset` opens this folder. How it was made stands in `provenance.json`, what is missing
in `failures.csv`.
"""
