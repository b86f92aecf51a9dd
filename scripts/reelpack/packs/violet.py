"""VIOLET's data (tsujuifu/pytorch_violet): frames as base64 JPEG, tokens, texts.

A clip is known there by its *video id*, the last part of its clip id; `clips.jsonl` says which clip
that is. A split other than `val` and `test` is read as `train`.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np

from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures, kept
from reelpack.packs.base import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    clip_notes,
    integers,
    one_codebook,
    only_arrays,
    only_frames,
    only_variant,
    stored_array,
    stored_pictures,
)
from reelpack.packs.image_tsv import NO_FIELD, TsvWriter, fits_a_field, read_lines
from reelpack.packs.listing import LISTING, Listing, read_listing
from reelpack.packs.pickle_stream import DictWriter, read_arrays, read_texts

_KEYS = {"video": str, "variant": str}
# VIOLET's pre-training opens parts 0 and 1 of a training set.
TRAIN_PARTS = 2
_OWN_SPLITS = ("val", "test")


class VioletFrames(PackFormat):
    """`img_{name}.pkl`, TSV files and texts.

    Settings read: `files`, a list of `pkl` (one dictionary, for downstream tasks) and `tsv` (parts
    that are read by offset, for pre-training), by default both; `text`, `pretrain`
    (`txt_{name}.json`: texts by video id), `retrieval` (`txt_{task}.json`: a list of pairs) or
    `none`, the default; `dataset_name`, by default the dataset's; `task`, by default
    `{dataset_name}-retrieval`.
    """

    name = "violet_frames"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops."""
        only_variant(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the frames' JPEG files, and the texts as notes.

        Raises:
            ClipError: the id does not suit a line; pre-training needs a text and there is none.
        """
        check_video_id(entry.clip_id)
        notes = clip_notes(entry)
        if _text_kind(context) == "pretrain" and not notes["captions"]:
            raise ClipError("pack", "the clip has no caption, which VIOLET's pre-training needs")
        frames = only_frames(entry.arrays, what=self.name)
        pictures = {variant: kept(sequence) for variant, sequence in frames.items()}
        return StoredEntry(entry.clip_id, entry.label, pictures, notes)

    def place(self, entry: Entry, context: PackContext) -> str:
        """Return the video id."""
        del context
        return _video_id(entry.clip_id)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write what `files` and `text` ask for."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        files = context.settings.get("files", ["pkl", "tsv"])
        with ExitStack() as stack:
            listing = stack.enter_context(Listing(folder))
            text = stack.enter_context(_TextFile(folder, context))
            pickled = None
            if "pkl" in files:
                stream = stack.enter_context((folder / f"img_{_name(context)}.pkl").open("wb"))
                pickled = DictWriter(stream)
            tables = [
                stack.enter_context(TsvWriter(folder / name))
                for name in _tables(context)
                if "tsv" in files
            ]
            for number, entry in enumerate(entries):
                video_id = _video_id(entry.clip_id)
                listing.add(entry, video=video_id, variant=variant)
                fields = [base64.b64encode(data) for data in stored_pictures(entry, variant)]
                if pickled is not None:
                    pickled.add_texts(video_id, [field.decode() for field in fields])
                if tables:
                    tables[number % len(tables)].add([video_id, *fields])
                text.add(video_id, entry.notes["captions"])
            if pickled is not None:
                pickled.close()

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read dictionary and TSV files side by side."""
        return _read_videos(folder, damaged, _frame_values)


class VioletVq(PackFormat):
    """`vq_{name}.pkl`: video id to int16[S, k, k].

    Settings read: `dataset_name`, by default the dataset's.
    """

    name = "violet_vq"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops."""
        only_variant(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return tokens as int16[S, k, k].

        Raises:
            ClipError: the id does not suit a line.
            UserError: the shape is another one, or tokens do not fit.
        """
        del context
        check_video_id(entry.clip_id)
        arrays = {}
        for name, tokens in only_arrays(entry.arrays, what=self.name).items():
            what = f"{self.name}: tokens of clip {entry.clip_id}"
            arrays[name] = integers(one_codebook(tokens, what=what), np.int16, what=what)
        return StoredEntry(entry.clip_id, entry.label, arrays, clip_notes(entry))

    def place(self, entry: Entry, context: PackContext) -> str:
        """Return the video id."""
        del context
        return _video_id(entry.clip_id)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write the dictionary."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        path = folder / f"vq_{_name(context)}.pkl"
        with Listing(folder) as listing, path.open("wb") as stream:
            writer = DictWriter(stream)
            for entry in entries:
                video_id = _video_id(entry.clip_id)
                listing.add(entry, video=video_id, variant=variant)
                writer.add_array(video_id, stored_array(entry, variant))
            writer.close()

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read the dictionary."""
        return _read_videos(folder, damaged, _token_values)


def check_video_id(clip_id: str) -> None:
    """Raise `ClipError` when the last part of a clip's id cannot be a field of a line."""
    if not fits_a_field(_video_id(clip_id)):
        raise ClipError("pack", NO_FIELD)


class _TextFile:
    """The JSON file of texts, written entry by entry; nothing where none is asked for."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._kind = _text_kind(context)
        self._stream = None
        self._separator = ""
        if self._kind != "none":
            pairs = self._kind == "retrieval"
            self._ends = "[]" if pairs else "{}"
            self._stream = (folder / _text_name(context)).open("w", encoding="utf-8")
            self._stream.write(f"{{{json.dumps(_split(context))}: {self._ends[0]}")

    def __enter__(self) -> _TextFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.write(f"{self._ends[1]}}}")
            self._stream.close()

    def add(self, video_id: str, texts: Sequence[str]) -> None:
        if self._stream is None:
            return
        if self._kind == "pretrain":
            items = [f"{json.dumps(video_id)}: {json.dumps(list(texts))}"]
        else:
            items = [json.dumps({"video": video_id, "caption": text}) for text in texts]
        for item in items:
            self._stream.write(self._separator + item)
            self._separator = ", "


_Values = Iterator[tuple[str, Array | Pictures]]
_Coded = Iterator[tuple[str, list[str]]]


def _read_videos(
    folder: Path, damaged: Container[str], values: Callable[[Path, Container[str]], _Values]
) -> Iterator[PackEntry | PackDamage]:
    """Pair the listing with what the data files hold, both in list order."""
    if LISTING in damaged:
        yield PackDamage(f"not read again, {LISTING} is damaged")
        return
    try:
        pairs = itertools.zip_longest(read_listing(folder, _KEYS), values(folder, damaged))
        for row, value in pairs:
            if row is None or value is None or row["video"] != value[0]:
                raise ValueError(f"{LISTING} and the data do not name the same videos")
            yield PackEntry(row["variant"], row["clip_id"], row["label"], value[1], row["notes"])
    except (OSError, ValueError, EOFError) as error:
        yield PackDamage(f"{folder.name}: {error}")


def _frame_values(folder: Path, damaged: Container[str]) -> _Values:
    sources = []
    for path in sorted(folder.glob("img_*.pkl")):
        sources.append(_from_dictionary(_whole(path, damaged)))
    tables = sorted(folder.glob("img_*.tsv"))
    if tables:
        sources.append(_from_tables([_whole(path, damaged) for path in tables]))
    if not sources:
        raise ValueError("there is no img file")
    for items in itertools.zip_longest(*sources):
        if any(item != items[0] for item in items):
            raise ValueError("dictionary and lines do not hold the same")
        video_id, fields = items[0]
        yield video_id, decoded(fields)


def _token_values(folder: Path, damaged: Container[str]) -> _Values:
    (path,) = folder.glob("vq_*.pkl")
    with _whole(path, damaged).open("rb") as stream:
        yield from read_arrays(stream)


def decoded(fields: Sequence[str | bytes]) -> Pictures:
    """Return base64 fields as the files that they hold.

    Raises:
        ValueError: when a file is asked for that is no base64.
    """
    return Pictures(len(fields), lambda number: base64.b64decode(fields[number], validate=True))


def _from_dictionary(path: Path) -> _Coded:
    with path.open("rb") as stream:
        yield from read_texts(stream)


def _from_tables(paths: Sequence[Path]) -> _Coded:
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


def _whole(path: Path, damaged: Container[str]) -> Path:
    if path.name in damaged:
        raise ValueError(f"not read again, {path.name} is damaged")
    return path


def _video_id(clip_id: str) -> str:
    return clip_id.rpartition("/")[2]


def _name(context: PackContext) -> str:
    return str(context.settings.get("dataset_name", context.dataset))


def _split(context: PackContext) -> str:
    return context.split if context.split in _OWN_SPLITS else "train"


def _tables(context: PackContext) -> list[str]:
    if _split(context) != "train":
        return [f"img_{_name(context)}_{_split(context)}.tsv"]
    return [f"img_{_name(context)}_train_{part}.tsv" for part in range(TRAIN_PARTS)]


def _text_kind(context: PackContext) -> str:
    return str(context.settings.get("text", "none"))


def _text_name(context: PackContext) -> str:
    if _text_kind(context) == "pretrain":
        return f"txt_{_name(context)}.json"
    return f"txt_{context.settings.get('task', f'{_name(context)}-retrieval')}.json"
