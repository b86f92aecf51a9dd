"""FAVDBench's frame folders: `frames/{split}-{n}frames/{name}_frame{0001..}.jpg`, n frames per clip.

The name is the last part of the clip id; `clips.jsonl` says which clip it is. A frame that comes again is
there again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reelpack.config.pack_rules import count_frames
from reelpack.core.errors import ClipError
from reelpack.packs.content import get_files, store_files
from reelpack.packs.entries import Entry, PackContext, StoredEntry
from reelpack.packs.listing import ImageFilesClip, JsonTable, ListedFormat
from reelpack.packs.names import get_last_part, is_file_name


@dataclass(frozen=True)
class FavdFramesClip(ImageFilesClip):
    """One line of `clips.jsonl`."""

    name: str
    frames: int
    folder: str

    def list_files(self) -> list[str]:
        """Return the files of the clip, relative to the pack."""
        return [f"{self.folder}/{_name_file(self.name, frame)}" for frame in range(self.frames)]


class FavdFrames(ListedFormat):
    """One folder of JPEG files."""

    table = JsonTable(FavdFramesClip)
    index = table.name

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the frames' JPEG files.

        Raises:
            ClipError: the name does not suit a file.
        """
        name = self.name_clip(entry, context)
        if not name or not is_file_name(_name_file(name, 0)):
            raise ClipError("pack", f"{name[:80]!r} cannot be the name of a file")
        return store_files(entry, self)

    def name_clip(self, entry: Entry, context: PackContext) -> str:
        """Return the last part of the id."""
        del context
        return get_last_part(entry.clip_id)

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the files and `clips.jsonl`."""
        variant = self.get_crop(context)
        place = f"frames/{context.split}-{count_frames(context.settings['frames'])}frames"
        (folder / place).mkdir(parents=True)
        with self.table.writing(folder) as listing:
            for entry in entries:
                files = get_files(entry, variant)
                clip = FavdFramesClip.describe(
                    entry,
                    variant,
                    name=get_last_part(entry.clip_id),
                    frames=len(files),
                    folder=place,
                )
                clip.write(folder, files)
                listing.add(clip)


FORMAT = FavdFrames()


def _name_file(name: str, frame: int) -> str:
    return f"{name}_frame{frame + 1:04d}.jpg"
