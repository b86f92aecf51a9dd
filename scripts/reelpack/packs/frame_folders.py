"""Folders of picture files, one folder per clip: `frame_folders`, and `png_folders` for rakhimovv/lvt.

The pictures lie below `frames/`; `clips.jsonl` beside it says which folder is which clip, with its
class, captions and time stamps.

`frame_folders`: `frames/{clip id}/{n:06d}.{png|jpg|webp}`, frames from 0.
`png_folders`: `frames/[{class}/]{clip}/{n}.png`, as `convert_kinetics` of the Latent Video Transformer
leaves them. The clip's folder is the last part of its id and the class's folder the part before it;
an id of one part lies in the folder of its class name, if it has one. The reader takes every folder
that holds only pictures for a video.

Settings read: `first_number`, by default 1 for `png_folders` (the seed's Kinetics; its BAIR counts
from 0) and 0 for `frame_folders`, which also reads `image` (png, jpeg or webp) and `quality`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from reelpack.core.errors import ClipError, UserError
from reelpack.images.files import (
    DEFAULT_QUALITY,
    LARGEST_SIDES,
    SUFFIXES,
    FrameSequence,
    ImageKind,
    Pictures,
    encoded,
)
from reelpack.packs.base import (
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    clip_notes,
    only_frames,
    only_variant,
    stored_pictures,
)
from reelpack.packs.listing import LISTING, Listing, read_listing
from reelpack.packs.names import check_path, is_folder_name

FRAMES = "frames"
_KEYS = {
    "folder": str,
    "frames": int,
    "first_number": int,
    "digits": int,
    "suffix": str,
    "variant": str,
}


class FrameFolders(PackFormat):
    """`frames/{clip id}/{n:06d}.{png|jpg|webp}`."""

    name = "frame_folders"
    version = 1
    digits = 6
    first_number = 0

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops or an unknown kind of picture."""
        only_variant(context, what=self.name)
        picture_settings(context)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the clip's pictures.

        Raises:
            ClipError: the clip has no frames, its folder cannot be made, or its frames are too
                large for such pictures.
        """
        check_path(self.place(entry, context))
        frames = only_frames(entry.arrays, what=self.name)
        pictures = {
            name: stored_frames(value, context, what=self.name) for name, value in frames.items()
        }
        return StoredEntry(entry.clip_id, entry.label, pictures, clip_notes(entry))

    def place(self, entry: Entry, context: PackContext) -> str:
        """Return the clip's folder below `frames/`."""
        del context
        return self.folder_of(entry.clip_id, entry.label_name)

    def folder_of(self, clip_id: str, label_name: str | None) -> str:
        """Return a clip's folder below `frames/`."""
        del label_name
        return clip_id

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write one folder per clip, and `clips.jsonl`."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        image, _ = picture_settings(context)
        first = int(context.settings.get("first_number", self.first_number))
        (folder / FRAMES).mkdir()
        with Listing(folder) as listing:
            for entry in entries:
                pictures = stored_pictures(entry, variant)
                row: dict[str, Any] = {
                    "folder": self.folder_of(entry.clip_id, entry.notes["label_name"]),
                    "frames": len(pictures),
                    "first_number": first,
                    "digits": self.digits,
                    "suffix": SUFFIXES[image],
                    "variant": variant,
                }
                listing.add(entry, **row)
                clip = FolderClip(entry.clip_id, entry.label, entry.notes, **row)
                clip.path(folder, 0).parent.mkdir(parents=True)
                for number, data in enumerate(pictures):
                    clip.path(folder, number).write_bytes(data)

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every clip that `clips.jsonl` names."""
        if LISTING in damaged:
            yield PackDamage(f"not read again, {LISTING} is damaged")
            return
        try:
            for clip in read_clips(folder):
                names = (clip.name(number) for number in range(clip.frames))
                bad = next((name for name in names if name in damaged), None)
                if bad is None:
                    pictures = clip.pictures(folder)
                    yield PackEntry(clip.variant, clip.clip_id, clip.label, pictures, clip.notes)
                else:
                    message = f"{clip.folder}: not read again, {bad} is damaged"
                    yield PackDamage(message, clip.variant, clip.clip_id)
        except (OSError, ValueError) as error:
            yield PackDamage(f"{LISTING}: {error}")


class PngFolders(FrameFolders):
    """`frames/[{class}/]{clip}/{n}.png`."""

    name = "png_folders"
    version = 1
    digits = 1
    first_number = 1

    def folder_of(self, clip_id: str, label_name: str | None) -> str:
        """Return a clip's folder below `frames/`.

        Raises:
            ClipError: the class's name would be needed, and cannot be a folder's.
        """
        parts = clip_id.rsplit("/", 2)[-2:]
        if len(parts) == 1 and label_name is not None:
            if not is_folder_name(label_name):
                raise ClipError("pack", f"class name {label_name[:80]!r} cannot be a folder's name")
            parts.insert(0, label_name)
        return "/".join(parts)


@dataclass(frozen=True)
class FolderClip:
    """One line of `clips.jsonl`."""

    clip_id: str
    label: int | None
    notes: Mapping[str, Any]
    folder: str
    frames: int
    first_number: int
    digits: int
    suffix: str
    variant: str

    def name(self, number: int) -> str:
        """Return a picture's name inside the pack."""
        counted = self.first_number + number
        return f"{FRAMES}/{self.folder}/{counted:0{self.digits}d}.{self.suffix}"

    def path(self, pack: Path, number: int) -> Path:
        """Return where a picture lies."""
        return pack / self.name(number)

    def pictures(self, pack: Path) -> Pictures:
        """Return the clip's pictures, read when asked for."""
        return Pictures(self.frames, partial(self._read, pack))

    def _read(self, pack: Path, number: int) -> bytes:
        return self.path(pack, number).read_bytes()


def read_clips(pack: Path) -> Iterator[FolderClip]:
    """Yield the clips of a pack of folders.

    Raises:
        ValueError: `clips.jsonl` is not as it was written.
    """
    for row in read_listing(pack, _KEYS):
        yield clip_of(row)


def clip_of(row: Mapping[str, Any]) -> FolderClip:
    """Return a line of `clips.jsonl`."""
    return FolderClip(**row)


def picture_settings(context: PackContext) -> tuple[ImageKind, int]:
    """Return the kind of picture and its quality that a recipe asks for.

    Raises:
        UserError: there is no such kind.
    """
    image = context.settings.get("image", "png")
    if image not in SUFFIXES:
        allowed = ", ".join(SUFFIXES)
        raise UserError(
            f"recipe {context.recipe}: image {image!r} does not exist; allowed: {allowed}"
        )
    return image, int(context.settings.get("quality", DEFAULT_QUALITY))


def stored_frames(frames: FrameSequence, context: PackContext, *, what: str) -> Pictures:
    """Return a clip's frames as the pictures that a recipe asks for.

    Raises:
        ClipError: there are none, or they are too large for such pictures.
    """
    if not len(frames):
        raise ClipError("pack", "the clip has no frames")
    image, quality = picture_settings(context)
    largest = LARGEST_SIDES[image]
    with Image.open(io.BytesIO(frames.png(0))) as picture:
        if max(picture.size) > largest:
            width, height = picture.size
            raise ClipError("pack", f"{what}: {width}x{height} is more than {image} can hold")
    return encoded(frames, image=image, quality=quality, pool=context.pool)
