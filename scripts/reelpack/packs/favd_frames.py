"""FAVDBench's frame folders: `frames/{split}-{n}frames/{name}_frame{0001..}.jpg`, n frames per clip.

The name is the last part of the clip id; `clips.jsonl` says which clip it is. A picture that comes again is
there again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reelpack.config.pack_rules import frame_count
from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures, kept
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
from reelpack.packs.names import is_folder_name

_KEYS = {"name": str, "frames": int, "folder": str, "variant": str}


class FavdFrames(PackFormat):
    """One folder of JPEG files."""

    name = "favd_frames"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops."""
        only_variant(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return the frames' JPEG files.

        Raises:
            ClipError: the name does not suit a file.
        """
        del context
        name = _name(entry.clip_id)
        if not name or not is_folder_name(_file(name, 0)):
            raise ClipError("pack", f"{name[:80]!r} cannot be the name of a file")
        frames = only_frames(entry.arrays, what=self.name)
        pictures = {variant: kept(sequence) for variant, sequence in frames.items()}
        return StoredEntry(entry.clip_id, entry.label, pictures, clip_notes(entry))

    def place(self, entry: Entry, context: PackContext) -> str:
        """Return the name."""
        del context
        return _name(entry.clip_id)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write the files and `clips.csv`."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        count = frame_count(context.settings["frames"])
        place = f"frames/{context.split}-{count}frames"
        (folder / place).mkdir(parents=True)
        with Listing(folder) as listing:
            for entry in entries:
                name = _name(entry.clip_id)
                pictures = stored_pictures(entry, variant)
                for number, data in enumerate(pictures):
                    (folder / place / _file(name, number)).write_bytes(data)
                row = {"name": name, "frames": len(pictures), "folder": place, "variant": variant}
                listing.add(entry, **row)

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read the files that the listing names."""
        if LISTING in damaged:
            yield PackDamage(f"not read again, {LISTING} is damaged")
            return
        try:
            for row in read_listing(folder, _KEYS):
                yield _entry(folder, row, damaged)
        except (OSError, ValueError) as error:
            yield PackDamage(f"{LISTING}: {error}")


def picture_files(row: Mapping[str, Any]) -> list[str]:
    """Return the files of a row of the listing, relative to the pack."""
    return [f"{row['folder']}/{_file(row['name'], number)}" for number in range(row["frames"])]


def _entry(folder: Path, row: Mapping[str, Any], damaged: Container[str]) -> PackEntry | PackDamage:
    files = picture_files(row)
    bad = next((name for name in files if name in damaged), None)
    if bad is not None:
        message = f"{row['clip_id']}: not read again, {bad} is damaged"
        return PackDamage(message, row["variant"], row["clip_id"])
    pictures = Pictures(len(files), lambda number: (folder / files[number]).read_bytes())
    return PackEntry(row["variant"], row["clip_id"], row["label"], pictures, row["notes"])


def _name(clip_id: str) -> str:
    return clip_id.rpartition("/")[2]


def _file(name: str, number: int) -> str:
    return f"{name}_frame{number + 1:04d}.jpg"
