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

import csv
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.packs.base import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    integers,
    only_arrays,
    only_variant,
    stored_array,
)
from reelpack.packs.names import is_folder_name

_VIDEOS = "videos.csv"
_COLUMNS = ("video_idx", "clip_id", "label", "frames", "folder", "variant")


class LvtCodes(PackFormat):
    """Folders of `.npy` files, one per frame."""

    name = "lvt_codes"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops or a name cannot be a folder."""
        only_variant(context, what=self.name)
        name = _dataset_name(context)
        if not is_folder_name(name):
            raise UserError(f"recipe {context.recipe}: dataset_name {name!r} is no folder name")

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return codes as int64[T, nc, h, w]; [T, h, w] counts as one codebook.

        Raises:
            ClipError: there are no frames, or the id has no folder that could name its class.
            UserError: the shape is another one.
        """
        if _class_folders(context) and not is_folder_name(_class_folder(entry.clip_id)):
            raise ClipError("pack", "the id has no folder that could name its class")
        given = only_arrays(entry.arrays, what=self.name)
        arrays = {name: _codes(entry, codes) for name, codes in given.items()}
        if any(not len(codes) for codes in arrays.values()):
            raise ClipError("pack", "the clip has no frames")
        return StoredEntry(clip_id=entry.clip_id, label=entry.label, arrays=arrays)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write one folder per clip, and `videos.csv`."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        # The rank of a clip is known only when the last one has come.
        waiting = folder / ".waiting"
        waiting.mkdir()
        clips: list[tuple[bytes, int, int | None, int]] = []
        for number, entry in enumerate(entries):
            codes = stored_array(entry, variant)
            _write_frames(waiting / str(number), codes)
            clips.append((entry.clip_id.encode(), number, entry.label, len(codes)))
        clips.sort()
        root = folder / _dataset_name(context)
        root.mkdir()
        with (folder / _VIDEOS).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            table.writerow(_COLUMNS)
            for index, (key, number, label, frames) in enumerate(clips):
                clip_id = key.decode()
                parent = root / _class_folder(clip_id) if _class_folders(context) else root
                place = parent / f"video_{index}"
                place.parent.mkdir(exist_ok=True)
                (waiting / str(number)).rename(place)
                where = place.relative_to(folder).as_posix()
                shown = "" if label is None else label
                table.writerow([index, clip_id, shown, frames, where, variant])
        waiting.rmdir()

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every video that `videos.csv` names."""
        if _VIDEOS in damaged:
            yield PackDamage(f"not read again, {_VIDEOS} is damaged")
            return
        try:
            videos = _read_videos(folder)
        except (OSError, ValueError) as error:
            yield PackDamage(f"{_VIDEOS}: {error}")
            return
        for video in videos:
            names = (f"{video.folder}/{frame}.npy" for frame in range(video.frames))
            bad = next((name for name in names if name in damaged), None)
            try:
                if bad is not None:
                    raise ValueError(f"not read again, {bad} is damaged")
                codes = video.codes(folder)
            except (OSError, ValueError, EOFError) as error:
                yield PackDamage(f"{video.folder}: {error}", video.variant, video.clip_id)
                continue
            yield PackEntry(video.variant, video.clip_id, video.label, codes)


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
        self._videos = _read_videos(self._folder)

    def __len__(self) -> int:
        return len(self._videos)

    def video(self, index: int) -> LvtVideo:
        """Return what `videos.csv` says of one."""
        return self._videos[index]

    def __getitem__(self, index: int) -> tuple[str, Array]:
        """Return (clip_id, codes int64[T, nc, h, w])."""
        video = self._videos[index]
        return video.clip_id, video.codes(self._folder)


@dataclass(frozen=True)
class LvtVideo:
    """One row of `videos.csv`."""

    clip_id: str
    label: int | None
    frames: int
    folder: str
    variant: str

    def codes(self, pack: Path) -> Array:
        """Read the frames: int64[T, nc, h, w]."""
        place = pack / self.folder
        frames = (place / f"{frame}.npy" for frame in range(self.frames))
        return np.stack([np.load(frame, allow_pickle=False) for frame in frames])


def _video(row: dict[str, str]) -> LvtVideo:
    return LvtVideo(
        clip_id=row["clip_id"],
        label=int(row["label"]) if row["label"] else None,
        frames=int(row["frames"]),
        folder=row["folder"],
        variant=row["variant"],
    )


def _read_videos(folder: Path) -> list[LvtVideo]:
    with (folder / _VIDEOS).open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, strict=True)
        if tuple(table.fieldnames or ()) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        try:
            return [_video(row) for row in table]
        except (TypeError, csv.Error) as error:
            raise ValueError(str(error)) from error


def _write_frames(folder: Path, codes: Array) -> None:
    folder.mkdir()
    for frame, array in enumerate(codes):
        np.save(folder / f"{frame}.npy", array, allow_pickle=False)


def _codes(entry: Entry, codes: Array) -> Array:
    if codes.ndim == 3:
        codes = codes[:, np.newaxis]
    if codes.ndim != 4:
        raise UserError(
            f"lvt_codes: codes of clip {entry.clip_id} have shape {list(codes.shape)}, allowed are "
            "[T, nc, h, w] and [T, h, w]"
        )
    return integers(codes, np.int64, what=f"lvt_codes: codes of clip {entry.clip_id}")


def _dataset_name(context: PackContext) -> str:
    return str(context.settings.get("dataset_name", f"{context.dataset}_{context.split}_seq"))


def _class_folders(context: PackContext) -> bool:
    return bool(context.settings.get("class_folders", False))


def _class_folder(clip_id: str) -> str:
    return clip_id.rpartition("/")[0].rpartition("/")[2]
