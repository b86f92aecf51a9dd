"""Folders of image files, one folder per clip: `frames/{clip id}/{n:06d}.{png|jpg|webp}`.

`clips.jsonl` says which folder is which clip, with its class, captions and time stamps.

Settings read: `first_number`, by default 0; `image` (png, jpeg or webp) and `quality`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reelpack.images.files import SUFFIXES
from reelpack.packs.content import encode_frames, get_files, make_notes, require_frames
from reelpack.packs.entries import Entry, PackContext, StoredEntry
from reelpack.packs.listing import ImageFilesClip, JsonTable, ListedFormat
from reelpack.packs.names import check_path

FRAMES = "frames"


@dataclass(frozen=True)
class FolderClip(ImageFilesClip):
    """One line of `clips.jsonl`."""

    folder: str
    frames: int
    first_number: int
    digits: int
    suffix: str

    def list_files(self) -> list[str]:
        """Return the files of the clip, relative to the pack."""
        numbers = range(self.first_number, self.first_number + self.frames)
        place = f"{FRAMES}/{self.folder}"
        return [f"{place}/{number:0{self.digits}d}.{self.suffix}" for number in numbers]


class FrameFolders(ListedFormat):
    """Folders by clip id."""

    table = JsonTable(FolderClip)
    index = table.name
    digits = 6

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the clip's frames as image files.

        Raises:
            ClipError: the clip has no frames, its folder cannot be made, or its frames are too
                large for such files.
        """
        check_path(self.name_clip(entry, context))
        frames = require_frames(entry, self)
        files = {name: encode_frames(value, self, context) for name, value in frames.items()}
        return StoredEntry(entry.clip_id, entry.label, files, make_notes(entry))

    def name_clip(self, entry: Entry, context: PackContext) -> str:
        """Return the clip's folder below `frames/`."""
        del context
        return self.name_folder(entry.clip_id, entry.label_name)

    def name_folder(self, clip_id: str, label_name: str | None) -> str:
        """Return a clip's folder below `frames/`."""
        del label_name
        return clip_id

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write one folder per clip, and `clips.jsonl`."""
        variant = self.get_crop(context)
        image, _ = self.get_image(context)
        (folder / FRAMES).mkdir()
        with self.table.writing(folder) as listing:
            for entry in entries:
                files = get_files(entry, variant)
                clip = FolderClip.describe(
                    entry,
                    variant,
                    folder=self.name_folder(entry.clip_id, entry.notes["label_name"]),
                    frames=len(files),
                    first_number=int(self.get_setting(context, "first_number")),
                    digits=self.digits,
                    suffix=SUFFIXES[image],
                )
                listing.add(clip)
                (folder / FRAMES / clip.folder).mkdir(parents=True)
                clip.write(folder, files)


FORMAT = FrameFolders()
