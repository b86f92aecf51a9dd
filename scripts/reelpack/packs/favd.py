"""FAVDBench's data (OpenNLPLab/FAVDBench, AVLFormer): frames, sound and texts, aligned by row.

Row i of every file is the same clip, since a clip that lacks one of them is in none. It is known by its
*key*, the path that its video has for the trainer: `datasets/videos/` and the clip id, with the video's
ending where that has three letters, else `.mp4`. `clips.jsonl` says which clip is which.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from PIL import Image

from reelpack.config.pack_rules import frame_count
from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures, kept
from reelpack.packs.base import (
    AUDIO,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    Variant,
    clip_notes,
    only_frames,
    only_variant,
    stored_pictures,
)
from reelpack.packs.image_tsv import NO_FIELD, TsvWriter, fits_a_field, read_lines
from reelpack.packs.listing import LISTING, Listing, read_listing
from reelpack.packs.mp3_hdf import Mp3Writer, read_mp3s
from reelpack.packs.violet import decoded

_METADATA = ("img", "caption", "label")
_KEYS = {"key": str, "variant": str}
_PREFIX = "datasets/videos/"
# The trainer takes a key without its last four characters for the sound's name.
_ENDING_LENGTH = 4


class FavdTsv(PackFormat):
    """The folders `frame_tsv`, `metadata` and, for recipes with sound, `audio_hdf`.

    Settings read: `video_prefix`, by default `datasets/videos/`.
    """

    name = "favd_tsv"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops."""
        _picture_variant(context)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the JPEG and mp3 files, and the texts as notes.

        Raises:
            ClipError: the clip has no frames, or its id does not suit a line.
        """
        key = _key(entry, context)
        if not fits_a_field(key):
            raise ClipError("pack", NO_FIELD)
        files = {name: kept(f) for name, f in only_frames(entry.arrays, what=self.name).items()}
        if not all(len(pictures) for pictures in files.values()):
            raise ClipError("pack", "the clip has no frames")
        return StoredEntry(entry.clip_id, entry.label, files, {**clip_notes(entry), "key": key})

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write all files row by row."""
        del failed_ids
        with _Rows(folder, context) as rows:
            for entry in entries:
                rows.add(entry)

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read all files side by side."""
        try:
            yield from _read_rows(folder, damaged)
        except (OSError, ValueError, EOFError, KeyError) as error:
            yield PackDamage(f"{folder.name}: {error}")


class _Rows:
    """All files of a pack, written row by row."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        self._variant = _picture_variant(context).name
        self._stack = ExitStack()
        open_one = self._stack.enter_context
        split, stem = (
            context.split,
            f"{context.split}_{frame_count(context.settings['frames'])}frames",
        )
        self._tables = {
            name: open_one(TsvWriter(folder / "metadata" / f"{split}.{name}.tsv"))
            for name in _METADATA
        }
        frames = folder / "frame_tsv" / f"{stem}.img.tsv"
        self._frames = open_one(TsvWriter(frames, binary_index=True))
        files = {name: f"{split}.{name}.tsv" for name in ("caption", "label")}
        files["img"] = frames.relative_to(folder).as_posix()
        self._sounds = None
        if _has_sound(context):
            sounds = folder / "audio_hdf" / f"{split}_mp3.hdf"
            self._sounds = open_one(Mp3Writer(sounds))
            files["audio"] = sounds.relative_to(folder).as_posix()
        (folder / "metadata" / f"{stem}.yaml").write_text(yaml.safe_dump(files))
        self._listing = open_one(Listing(folder))

    def __enter__(self) -> _Rows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, entry: StoredEntry) -> None:
        """Add a clip's row to every file."""
        key = str(entry.notes["key"])
        pictures = list(stored_pictures(entry, self._variant))
        fields = [base64.b64encode(data) for data in pictures]
        self._frames.add([key, _size(pictures[0]), *fields])
        if self._sounds is not None:
            (sound,) = stored_pictures(entry, AUDIO)
            self._sounds.add(_sound_name(key), sound)
        for name, line in _metadata(key, entry.label, entry.notes).items():
            self._tables[name].add(line)
        self._listing.add(entry, key=key, variant=self._variant)


def _read_rows(folder: Path, damaged: Container[str]) -> Iterator[PackEntry]:
    """Yield pictures and sound of every clip.

    Raises:
        ValueError: files are damaged, or not aligned.
    """

    def whole(pattern: str) -> Path:
        (path,) = folder.glob(pattern)
        if path.relative_to(folder).as_posix() in damaged:
            raise ValueError(f"not read again, {path.name} is damaged")
        return path

    frames = read_lines(whole("frame_tsv/*.img.tsv"))
    tables = {name: read_lines(whole(f"metadata/*.{name}.tsv")) for name in _METADATA}
    sounds = None
    if (folder / "audio_hdf").is_dir():
        sounds = read_mp3s(whole("audio_hdf/*_mp3.hdf"))
    whole(LISTING)
    for number, row in enumerate(read_listing(folder, _KEYS)):
        key = row["key"]
        for name, line in _metadata(key, row["label"], row["notes"]).items():
            if next(tables[name], None) != [field.encode() for field in line]:
                raise ValueError(f"row {number} of the {name} table is not that of {key}")
        frame = next(frames, [b"", b""])
        pictures = decoded(frame[2:])
        if frame[0] != key.encode() or frame[1].decode() != _size(pictures[0]):
            raise ValueError(f"row {number} of the frames is not that of {key}")
        yield PackEntry(row["variant"], row["clip_id"], row["label"], pictures, row["notes"])
        if sounds is not None:
            name, sound = next(sounds, ("", b""))
            if name != _sound_name(key):
                raise ValueError(f"row {number} of the sounds is not that of {key}")
            files = Pictures(1, [sound].__getitem__)
            yield PackEntry(AUDIO, row["clip_id"], row["label"], files, row["notes"])
    if any(next(rest, None) is not None for rest in (frames, *tables.values(), sounds or iter(()))):
        raise ValueError(f"there are more rows than {LISTING} has")


def _metadata(key: str, label: int | None, notes: Mapping[str, Any]) -> dict[str, list[str]]:
    """The line of each table; the trainer asks for a text of every row."""
    texts = [{"caption": text} for text in notes["captions"] or [""]]
    kind = notes["label_name"] or (-1 if label is None else label)
    return {
        "img": [key, key],
        "caption": [key, json.dumps(texts)],
        "label": [key, json.dumps([{"class": kind}])],
    }


def _picture_variant(context: PackContext) -> Variant:
    pictures = [variant for variant in context.variants if variant.name != AUDIO]
    return only_variant(replace(context, variants=tuple(pictures)), what="favd_tsv")


def _has_sound(context: PackContext) -> bool:
    return any(variant.name == AUDIO for variant in context.variants)


def _size(picture: bytes) -> str:
    width, height = Image.open(io.BytesIO(picture)).size
    return json.dumps({"class": -1, "width": width, "height": height})


def _key(entry: Entry, context: PackContext) -> str:
    ending = Path(entry.video).suffix
    ending = ending if len(ending) == _ENDING_LENGTH else ".mp4"
    return f"{context.settings.get('video_prefix', _PREFIX)}{entry.clip_id}{ending}"


def _sound_name(key: str) -> str:
    return key.rpartition("/")[2][:-_ENDING_LENGTH]
