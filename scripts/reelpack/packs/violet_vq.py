"""VIOLET's tokens: `vq_{name}.pkl`, one dictionary of video id to int16[S, k, k].

Settings read: `dataset_name`, by default the dataset's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from reelpack.packs.content import cast_tokens, get_array, make_notes
from reelpack.packs.entries import Array, Entry, PackContext, StoredEntry
from reelpack.packs.names import get_last_part
from reelpack.packs.pickle_stream import DictWriter, read_arrays
from reelpack.packs.violet import VioletClip, VioletFormat, check_video_id


class VioletVq(VioletFormat):
    """One pickled dictionary."""

    patterns = ("vq_*.pkl",)

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return tokens as int16[S, k, k].

        Raises:
            ClipError: the id does not suit a line.
            UserError: the shape is another one, or tokens do not fit.
        """
        del context
        check_video_id(entry)
        arrays = cast_tokens(entry, self)
        return StoredEntry(entry.clip_id, entry.label, arrays, make_notes(entry))

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write the dictionary."""
        variant = self.get_crop(context)
        path = folder / f"vq_{self.get_dataset_name(context)}.pkl"
        with self.table.writing(folder) as listing, path.open("wb") as stream:
            writer = DictWriter(stream)
            for entry in entries:
                clip = VioletClip.describe(entry, variant, video=get_last_part(entry.clip_id))
                listing.add(clip)
                writer.add_array(clip.video, get_array(entry, variant))
            writer.close()

    def iterate(self, folder: Path) -> Iterator[tuple[str, Array]]:
        """Yield the entries of the dictionary."""
        (path,) = folder.glob("vq_*.pkl")
        with path.open("rb") as stream:
            yield from read_arrays(stream)

    def index_videos(self, folder: Path) -> list[tuple[str, Array]]:
        """Read the whole dictionary, which memory holds then, as VIOLET's does."""
        return list(self.iterate(folder))


FORMAT = VioletVq()
