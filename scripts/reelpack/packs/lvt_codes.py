"""Code folders of the Latent Video Transformer (rakhimovv/lvt): one `.npy` file per frame.

A frame's codes lie at `{dataset_name}/[{class}/]video_{idx}/{frame}.npy` as int64[nc, h, w]; frames
count from 0, and idx is the clip's rank among the pack's clips sorted by id (as UTF-8 bytes).
`videos.csv` beside that tree says which clip is which. The path caches that the reader leaves in
the tree are never part of a pack.

Settings read: `dataset_name`, by default `{dataset}_{split}_seq`, as the seed calls its sets;
`class_folders`, by default false: put each video below a folder named like the last folder of its
id, as the Kinetics reader needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.packs.content import NO_FRAMES, cast_integers, get_array, require_arrays
from reelpack.packs.entries import Array, Entry, PackContext, PackEntry, StoredEntry
from reelpack.packs.listing import CsvTable, ListedFormat, waiting_folder
from reelpack.packs.names import is_file_name


@dataclass(frozen=True)
class LvtVideo:
    """One row of `videos.csv`."""

    video_idx: int
    clip_id: str
    label: int | None
    frames: int
    folder: str
    variant: str

    def list_files(self) -> list[str]:
        """Return the file of each frame, relative to the pack."""
        return [f"{self.folder}/{frame}.npy" for frame in range(self.frames)]

    def read_codes(self, pack: Path) -> Array:
        """Read the frames: int64[T, nc, h, w]."""
        return np.stack([np.load(pack / name, allow_pickle=False) for name in self.list_files()])

    def read(self, folder: Path) -> PackEntry:
        """Read the clip from a pack."""
        return PackEntry(self.variant, self.clip_id, self.label, self.read_codes(folder))


class LvtCodes(ListedFormat):
    """Folders of `.npy` files, one per frame."""

    table = CsvTable(LvtVideo)
    index = table.name

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops or a name cannot be a folder."""
        super().check(context)
        name = self._get_root(context)
        if not is_file_name(name):
            raise UserError(
                f"recipe {context.recipe}: dataset_name {name!r} cannot be the name of a folder"
            )

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return codes as int64[T, nc, h, w]; [T, h, w] counts as one codebook.

        Raises:
            ClipError: there are no frames, or the id has no folder that could name its class.
            UserError: the shape is another one.
        """
        if self.get_setting(context, "class_folders") and not is_file_name(
            _get_class(entry.clip_id)
        ):
            raise ClipError("pack", "the id has no folder that could name its class")
        given = require_arrays(entry, self)
        arrays = {name: _cast_codes(entry, codes) for name, codes in given.items()}
        if any(not len(codes) for codes in arrays.values()):
            raise ClipError("pack", NO_FRAMES)
        return StoredEntry(entry.clip_id, entry.label, arrays)

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write one folder per clip, and `videos.csv`."""
        variant = self.get_crop(context)
        root = folder / self._get_root(context)
        clips: list[tuple[bytes, int, int | None, int]] = []
        videos = []
        # The rank of a clip is known only when the last one has come.
        with waiting_folder(folder) as waiting:
            for number, entry in enumerate(entries):
                codes = get_array(entry, variant)
                _write_frames(waiting / str(number), codes)
                clips.append((entry.clip_id.encode(), number, entry.label, len(codes)))
            root.mkdir()
            for index, (key, number, label, frames) in enumerate(sorted(clips)):
                clip_id = key.decode()
                by_class = self.get_setting(context, "class_folders")
                place = (root / _get_class(clip_id) if by_class else root) / f"video_{index}"
                place.parent.mkdir(exist_ok=True)
                (waiting / str(number)).rename(place)
                where = place.relative_to(folder).as_posix()
                videos.append(LvtVideo(index, clip_id, label, frames, where, variant))
        self.table.write(folder, videos)

    def _get_root(self, context: PackContext) -> str:
        usual = f"{context.dataset}_{context.split}_seq"
        return str(self.get_setting(context, "dataset_name") or usual)


FORMAT = LvtCodes()


class LvtVideos:
    """The videos of a pack as a map-style dataset, for use with torch's `DataLoader`.

    Items are (clip_id, codes int64[T, nc, h, w]) in the order of `video_idx`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Read `videos.csv`.

        Args:
            folder: the pack.
        """
        self._folder = Path(folder)
        self._videos: list[LvtVideo] = LvtCodes.table.iterate(self._folder)

    def __len__(self) -> int:
        return len(self._videos)

    def video(self, index: int) -> LvtVideo:
        """Return what `videos.csv` says of one."""
        return self._videos[index]

    def __getitem__(self, index: int) -> tuple[str, Array]:
        """Return (clip_id, codes int64[T, nc, h, w])."""
        video = self._videos[index]
        return video.clip_id, video.read_codes(self._folder)


def _write_frames(folder: Path, codes: Array) -> None:
    folder.mkdir()
    for frame, array in enumerate(codes):
        np.save(folder / f"{frame}.npy", array, allow_pickle=False)


def _cast_codes(entry: Entry, codes: Array) -> Array:
    what = f"lvt_codes: codes of clip {entry.clip_id}"
    if codes.ndim == 3:
        codes = codes[:, np.newaxis]
    if codes.ndim != 4:
        raise UserError(
            f"{what} have shape {list(codes.shape)}, allowed are [T, nc, h, w] and [T, h, w]"
        )
    return cast_integers(codes, np.int64, what=what)


def _get_class(clip_id: str) -> str:
    return clip_id.rpartition("/")[0].rpartition("/")[2]
