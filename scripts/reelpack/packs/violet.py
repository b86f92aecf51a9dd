"""What VIOLET's formats share (tsujuifu/pytorch_violet).

A clip is known there by its *video id*, the last part of its clip id; `clips.jsonl` says which clip
that is.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reelpack.core.errors import ClipError
from reelpack.images.files import Pictures
from reelpack.packs.access import Clips, PackPart
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import Array, Entry, PackContext, PackEntry
from reelpack.packs.image_tsv import NO_FIELD, fits_a_field
from reelpack.packs.listing import JsonTable, ListedClip, Rows
from reelpack.packs.names import get_last_part

Content = Array | Pictures


@dataclass(frozen=True)
class VioletClip(ListedClip):
    """One line of `clips.jsonl`."""

    video: str


class VioletFormat(PackFormat):
    """A format whose data files hold videos by their ids, in list order."""

    table = JsonTable(VioletClip)
    index = table.name
    patterns: Sequence[str]

    @abstractmethod
    def iterate(self, folder: Path) -> Iterator[tuple[str, Content]]:
        """Yield each video's id and content from the data files.

        Raises:
            OSError, ValueError, EOFError: they are damaged, or do not hold the same.
        """

    @abstractmethod
    def index_videos(self, folder: Path) -> Rows[tuple[str, Content]]:
        """Return the same by the videos' numbers."""

    def name_clip(self, entry: Entry, context: PackContext) -> str:
        """Return the video id."""
        del context
        return get_last_part(entry.clip_id)

    def list_parts(self, folder: Path) -> Iterable[PackPart]:
        """Yield the data files as one part: they are read beside the listing."""
        files = [path.name for pattern in self.patterns for path in folder.glob(pattern)]
        return [PackPart(folder.name, files, partial(self._read_videos, folder))]

    def open(self, folder: Path) -> Clips:
        """Return the clips in list order."""
        return _VioletClips(self, folder)

    def _read_videos(self, folder: Path) -> Iterator[PackEntry]:
        pairs = itertools.zip_longest(self.table.iterate(folder), self.iterate(folder))
        return (_join(clip, found) for clip, found in pairs)

    def get_dataset_name(self, context: PackContext) -> str:
        """Return the name in file names."""
        return str(self.get_setting(context, "dataset_name") or context.dataset)


class _VioletClips(Clips):
    def __init__(self, pack_format: VioletFormat, folder: Path) -> None:
        self._rows = pack_format.table.index(folder)
        self._videos = pack_format.index_videos(folder)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, number: int) -> list[PackEntry]:
        """Read a clip."""
        return [_join(self._rows[number], self._videos[number])]


def _join(clip: VioletClip | None, found: tuple[str, Content] | None) -> PackEntry:
    if clip is None or found is None or clip.video != found[0]:
        raise ValueError(f"{VioletFormat.index} and the data do not name the same videos")
    return clip.make_entry(found[1])


def check_video_id(entry: Entry) -> None:
    """Raise `ClipError` when the last part of a clip's id cannot be a field of a line."""
    if not fits_a_field(get_last_part(entry.clip_id)):
        raise ClipError("pack", NO_FIELD)
