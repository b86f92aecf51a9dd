"""VIOLET's frames: `img_{name}.pkl`, TSV files of base64 JPEG, and texts.

A split other than `val` and `test` is read as `train`.

Settings read: `files`, a list of `pkl` (one dictionary, for downstream tasks) and `tsv` (parts that are
read by offset, for pre-training), by default both; `text`, `pretrain` (`txt_{name}.json`: texts by video
id), `retrieval` (`txt_{task}.json`: a list of pairs) or `none`, the default; `dataset_name`, by default
the dataset's; `task`, by default `{dataset_name}-retrieval`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures
from reelpack.packs.content import get_files, store_files
from reelpack.packs.entries import Entry, PackContext, StoredEntry
from reelpack.packs.image_tsv import (
    TsvTable,
    TsvWriter,
    decode_fields,
    encode_files,
    read_lines,
)
from reelpack.packs.listing import Rows
from reelpack.packs.names import get_last_part
from reelpack.packs.pickle_stream import DictWriter, read_texts
from reelpack.packs.violet import VioletClip, VioletFormat, check_video_id

# VIOLET's pre-training opens parts 0 and 1 of a training set.
TRAIN_PARTS = 2
_OWN_SPLITS = ("val", "test")
_DICTIONARIES, _TABLES = "img_*.pkl", "img_*.tsv"
_Coded = Iterator[tuple[str, list[str]]]


class VioletFrames(VioletFormat):
    """A pickled dictionary of frames, TSV files of them, or both."""

    patterns = (_DICTIONARIES, _TABLES)

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the frames' JPEG files, and the texts as notes.

        Raises:
            ClipError: the id does not suit a line; pre-training needs a text and there is none.
        """
        check_video_id(entry)
        stored = store_files(entry, self)
        if self.get_setting(context, "text") == "pretrain" and not stored.notes["captions"]:
            raise ClipError("pack", "the clip has no caption, which VIOLET's pre-training needs")
        return stored

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write what `files` and `text` ask for."""
        variant = self.get_crop(context)
        files = self.get_setting(context, "files")
        name = self.get_dataset_name(context)
        with ExitStack() as stack:
            listing = stack.enter_context(self.table.writing(folder))
            text = stack.enter_context(self._open_text(folder, context))
            pickled = None
            if "pkl" in files:
                stream = stack.enter_context((folder / f"img_{name}.pkl").open("wb"))
                pickled = DictWriter(stream)
            tables = [
                stack.enter_context(TsvWriter(folder / f"img_{name}_{part}.tsv"))
                for part in _name_parts(context)
                if "tsv" in files
            ]
            for number, entry in enumerate(entries):
                clip = VioletClip.describe(entry, variant, video=get_last_part(entry.clip_id))
                listing.add(clip)
                fields = encode_files(get_files(entry, variant))
                if pickled is not None:
                    pickled.add_texts(clip.video, [field.decode() for field in fields])
                if tables:
                    tables[number % len(tables)].add([clip.video, *fields])
                text.add(clip.video, entry.notes["captions"])
            if pickled is not None:
                pickled.close()

    def iterate(self, folder: Path) -> Iterator[tuple[str, Pictures]]:
        """Yield the videos of dictionary and TSV files side by side."""
        sources: list[_Coded] = [_read_dictionary(path) for path in folder.glob(_DICTIONARIES)]
        if tables := sorted(folder.glob(_TABLES)):
            sources.append(_read_tables(tables))
        if not sources:
            raise ValueError("there is no img file")
        for items in itertools.zip_longest(*sources):
            if any(item != items[0] for item in items):
                raise ValueError("dictionary and lines do not hold the same")
            video, fields = items[0]
            yield video, decode_fields(fields)

    def index_videos(self, folder: Path) -> Rows[tuple[str, Pictures]]:
        """Return the lines of the TSV files, or the whole dictionary, which memory holds then."""
        if tables := sorted(folder.glob(_TABLES)):
            return _TrainParts(tables)
        return list(self.iterate(folder))

    def _open_text(self, folder: Path, context: PackContext) -> _TextFile:
        kind = str(self.get_setting(context, "text"))
        name = self.get_dataset_name(context)
        if kind == "retrieval":
            name = str(self.get_setting(context, "task") or f"{name}-retrieval")
        return _TextFile(folder / f"txt_{name}.json", kind, _name_split(context))


FORMAT = VioletFrames()


class _TextFile(AbstractContextManager["_TextFile"]):
    """The JSON file of texts, written entry by entry; nothing where none is asked for."""

    def __init__(self, path: Path, kind: str, split: str) -> None:
        self._kind = kind
        self._stream = None
        self._separator = ""
        if kind != "none":
            self._ends = "[]" if kind == "retrieval" else "{}"
            self._stream = path.open("w", encoding="utf-8")
            self._stream.write(f"{{{json.dumps(split)}: {self._ends[0]}")

    def __exit__(self, *error: object) -> None:
        if self._stream is not None:
            self._stream.write(f"{self._ends[1]}}}")
            self._stream.close()

    def add(self, video: str, texts: Sequence[str]) -> None:
        """Add a video's texts."""
        if self._stream is None:
            return
        if self._kind == "pretrain":
            items = [f"{json.dumps(video)}: {json.dumps(list(texts))}"]
        else:
            items = [json.dumps({"video": video, "caption": text}) for text in texts]
        for item in items:
            self._stream.write(self._separator + item)
            self._separator = ", "


def _read_dictionary(path: Path) -> _Coded:
    with path.open("rb") as stream:
        yield from read_texts(stream)


def _read_tables(paths: Sequence[Path]) -> _Coded:
    """Lines of all parts in turn, as they were dealt out."""
    tables = [read_lines(path) for path in paths]
    for table in itertools.cycle(tables):
        line = next(table, None)
        if line is None:
            break
        yield line[0].decode(), [field.decode() for field in line[1:]]
    for path, table in zip(paths, tables, strict=True):
        if next(table, None) is not None:
            raise ValueError(f"{path.name} has lines that no other part goes with")


class _TrainParts:
    def __init__(self, paths: Sequence[Path]) -> None:
        self._tables = [TsvTable(path) for path in paths]

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def __getitem__(self, number: int) -> tuple[str, Pictures]:
        line, part = divmod(number, len(self._tables))
        video, *fields = self._tables[part][line]
        return video.decode(), decode_fields(fields)


def _name_split(context: PackContext) -> str:
    return context.split if context.split in _OWN_SPLITS else "train"


def _name_parts(context: PackContext) -> list[str]:
    split = _name_split(context)
    return [f"train_{part}" for part in range(TRAIN_PARTS)] if split == "train" else [split]
