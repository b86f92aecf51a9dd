"""FAVDBench's data (OpenNLPLab/FAVDBench, AVLFormer): frames, sound and texts, aligned by row.

Row i of every file is the same clip, since a clip that lacks one of them is in none. It is known by its
*key*, the path that its video has for the trainer: `datasets/videos/` and the clip id, with the video's
ending where that has three letters, else `.mp4`. `clips.jsonl` says which clip is which. The folders are
`frame_tsv`, `metadata` and, for recipes with sound, `audio_hdf`.

Settings read: `video_prefix`, by default `datasets/videos/`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from reelpack.config.pack_rules import count_frames
from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures
from reelpack.packs.access import Clips, PackPart
from reelpack.packs.base import PackFormat
from reelpack.packs.content import NO_FRAMES, get_files, store_files
from reelpack.packs.entries import AUDIO, Entry, PackContext, PackEntry, StoredEntry
from reelpack.packs.image_tsv import (
    NO_FIELD,
    TsvTable,
    TsvWriter,
    decode_fields,
    encode_files,
    fits_a_field,
    read_lines,
)
from reelpack.packs.listing import JsonTable, ListedClip
from reelpack.packs.mp3_hdf import Mp3Table, Mp3Writer
from reelpack.packs.names import get_last_part

_METADATA = ("img", "caption", "label")
# The trainer takes a key without its last four characters for the sound's name.
_ENDING_LENGTH = 4
_FRAMES, _SOUNDS = "frame_tsv/*.img.tsv", "audio_hdf/*_mp3.hdf"


@dataclass(frozen=True)
class KeyedClip(ListedClip):
    """One line of `clips.jsonl`."""

    key: str


class FavdTsv(PackFormat):
    """TSV files of frames and of texts, and an HDF5 file of sound."""

    table = JsonTable(KeyedClip)
    index = table.name

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the JPEG and mp3 files, and the texts as notes.

        Raises:
            ClipError: the clip has no frames, or its id does not suit a line.
        """
        ending = Path(entry.video).suffix
        ending = ending if len(ending) == _ENDING_LENGTH else ".mp4"
        key = f"{self.get_setting(context, 'video_prefix')}{entry.clip_id}{ending}"
        if not fits_a_field(key):
            raise ClipError("pack", NO_FIELD)
        stored = store_files(entry, self, key=key)
        if not all(len(files) for files in stored.arrays.values()):
            raise ClipError("pack", NO_FRAMES)
        return stored

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write all files row by row."""
        variant = self.get_crop(context)
        with (
            self.table.writing(folder) as listing,
            _RowWriter(folder, context) as rows,
        ):
            for entry in entries:
                clip = KeyedClip.describe(entry, variant, key=str(entry.notes["key"]))
                sound = None
                if AUDIO in entry.arrays:
                    (sound,) = get_files(entry, AUDIO)
                rows.add(clip, get_files(entry, variant), sound)
                listing.add(clip)

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield all files as one part, since each of them is needed."""
        files = [
            path.relative_to(folder).as_posix()
            for pattern in (_FRAMES, _SOUNDS, "metadata/*.tsv")
            for path in folder.glob(pattern)
        ]
        yield PackPart(folder.name, files, partial(_read_rows, folder))

    def open(self, folder: Path) -> Clips:
        """Return the clips in list order."""
        return _FavdClips(folder)


FORMAT = FavdTsv()


class _RowWriter(ExitStack):
    """All files of a pack but `clips.jsonl`."""

    def __init__(self, folder: Path, context: PackContext) -> None:
        super().__init__()
        split = context.split
        stem = f"{split}_{count_frames(context.settings['frames'])}frames"
        self._tables = {
            name: self.enter_context(TsvWriter(folder / "metadata" / f"{split}.{name}.tsv"))
            for name in _METADATA
        }
        frames = folder / "frame_tsv" / f"{stem}.img.tsv"
        self._frames = self.enter_context(TsvWriter(frames, binary_index=True))
        files = {name: f"{split}.{name}.tsv" for name in ("caption", "label")}
        files["img"] = frames.relative_to(folder).as_posix()
        self._sounds = None
        if any(variant.name == AUDIO for variant in context.variants):
            sounds = folder / "audio_hdf" / f"{split}_mp3.hdf"
            self._sounds = self.enter_context(Mp3Writer(sounds))
            files["audio"] = sounds.relative_to(folder).as_posix()
        (folder / "metadata" / f"{stem}.yaml").write_text(yaml.safe_dump(files))

    def add(self, clip: KeyedClip, frames: Pictures, sound: bytes | None) -> None:
        """Add a clip's row to every file."""
        files = list(frames)
        self._frames.add([clip.key, _describe_size(files), *encode_files(files)])
        if self._sounds is not None and sound is not None:
            self._sounds.add(_name_sound(clip.key), sound)
        for name, line in _make_metadata(clip).items():
            self._tables[name].add(line)


class _FavdClips(Clips):
    def __init__(self, folder: Path) -> None:
        self._rows = FavdTsv.table.index(folder)
        (frames,) = folder.glob(_FRAMES)
        self._frames = TsvTable(frames)
        self._sounds = [Mp3Table(path) for path in folder.glob(_SOUNDS)]

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, number: int) -> list[PackEntry]:
        """Read a clip's frames and sound."""
        sounds = [table[number][1] for table in self._sounds]
        return _make_entries(self._rows[number], self._frames[number], *sounds)


def _make_entries(clip: KeyedClip, line: list[bytes], *sounds: bytes) -> list[PackEntry]:
    found = [clip.make_entry(decode_fields(line[2:]))]
    if sounds:
        found.append(clip.make_entry(Pictures(len(sounds), sounds.__getitem__), AUDIO))
    return found


def _read_rows(folder: Path) -> Iterator[PackEntry]:
    """Yield frames and sound of every clip.

    Raises:
        ValueError: files are damaged, or not aligned.
    """
    (path,) = folder.glob(_FRAMES)
    frames = read_lines(path)
    tables = {
        name: read_lines(path)
        for name in _METADATA
        for path in folder.glob(f"metadata/*.{name}.tsv")
    }
    sounds = [Mp3Table(path) for path in folder.glob(_SOUNDS)]
    number = -1
    for number, clip in enumerate(FavdTsv.table.iterate(folder)):
        for name, fields in _make_metadata(clip).items():
            if next(tables[name], None) != [field.encode() for field in fields]:
                raise ValueError(f"row {number} of the {name} table is not that of {clip.key}")
        line = next(frames, [b"", b""])
        sound = [table[number] for table in sounds]
        entries = _make_entries(clip, line, *(data for _, data in sound))
        head = [clip.key.encode(), _describe_size(entries[0].array).encode()]
        if line[:2] != head:
            raise ValueError(f"row {number} of the frames is not that of {clip.key}")
        if any(name != _name_sound(clip.key) for name, _ in sound):
            raise ValueError(f"row {number} of the sounds is not that of {clip.key}")
        yield from entries
    rest = any(next(table, None) is not None for table in (frames, *tables.values()))
    if rest or any(len(table) != number + 1 for table in sounds):
        raise ValueError(f"there are more rows than {FavdTsv.index} has")


def _make_metadata(clip: KeyedClip) -> dict[str, list[str]]:
    """The line of each table; the trainer asks for a text of every row."""
    notes = clip.notes
    texts = [{"caption": text} for text in notes["captions"] or [""]]
    kind = notes["label_name"] or (-1 if clip.label is None else clip.label)
    return {
        "img": [clip.key, clip.key],
        "caption": [clip.key, json.dumps(texts)],
        "label": [clip.key, json.dumps([{"class": kind}])],
    }


def _describe_size(frames: Any) -> str:
    """Return the second field of a row of frames."""
    with Image.open(io.BytesIO(frames[0])) as first:
        width, height = first.size
    return json.dumps({"class": -1, "width": width, "height": height})


def _name_sound(key: str) -> str:
    return get_last_part(key)[:-_ENDING_LENGTH]
