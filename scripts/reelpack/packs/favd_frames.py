"""FAVDBench's frame folders: `frames/{split}-{n}frames/{name}_frame{0001..}.jpg`, n frames per clip.

The name is the last part of the clip id; `clips.csv` says which clip it is. A picture that comes again is
there again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

from reelpack.errors import ClipError, UserError
from reelpack.formats import frame_count
from reelpack.packs.base import (
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    only_frames,
    only_variant,
    stored_pictures,
)
from reelpack.pictures import Pictures, kept

CLIPS = "clips.csv"
_COLUMNS = ("name", "clip_id", "frames", "folder", "variant")
# What stands behind a name must fit into 255 bytes too.
_MAX_NAME_BYTES = 240


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
        if not 0 < len(_name(entry.clip_id).encode()) <= _MAX_NAME_BYTES:
            raise ClipError("pack", f"the id's last part has not 1 to {_MAX_NAME_BYTES} bytes")
        frames = only_frames(entry.arrays, what=self.name)
        return StoredEntry(entry.clip_id, None, {name: kept(f) for name, f in frames.items()})

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
        names: set[str] = set()
        with (folder / CLIPS).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
            table.writerow(_COLUMNS)
            for entry in entries:
                name = _name(entry.clip_id)
                if name in names:
                    raise UserError(
                        f"recipe {context.recipe}: clip {entry.clip_id}: another clip ends in"
                        f" {name!r} too, and FAVDBench names frames by the last part of ids; rename one"
                    )
                names.add(name)
                pictures = stored_pictures(entry, variant)
                for number, data in enumerate(pictures):
                    (folder / place / _file(name, number)).write_bytes(data)
                table.writerow((name, entry.clip_id, len(pictures), place, variant))

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read the files that `clips.csv` names."""
        if CLIPS in damaged:
            yield PackDamage(f"not read again, {CLIPS} is damaged")
            return
        try:
            with (folder / CLIPS).open(encoding="utf-8", newline="") as stream:
                table = csv.DictReader(stream, strict=True)
                if tuple(table.fieldnames or ()) != _COLUMNS:
                    raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
                for row in table:
                    yield _entry(folder, row, damaged)
        except (OSError, ValueError, csv.Error) as error:
            yield PackDamage(f"{CLIPS}: {error}")


def _entry(folder: Path, row: dict[str, str], damaged: Container[str]) -> PackEntry | PackDamage:
    count = int(row["frames"])
    files = [f"{row['folder']}/{_file(row['name'], number)}" for number in range(count)]
    for name in files:
        if name in damaged or not (folder / name).is_file():
            message = f"{row['clip_id']}: not read again, {name} is damaged or missing"
            return PackDamage(message, row["variant"], row["clip_id"])
    pictures = Pictures(count, lambda number: (folder / files[number]).read_bytes())
    return PackEntry(row["variant"], row["clip_id"], None, pictures)


def _name(clip_id: str) -> str:
    return clip_id.rpartition("/")[2]


def _file(name: str, number: int) -> str:
    return f"{name}_frame{number + 1:04d}.jpg"
