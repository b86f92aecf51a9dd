"""Feature folders of HERO (linjieli222/HERO_Video_Feature_Extractor): one `.npz` file per video.

A clip's features lie at `{folder}/{name}.npz` as one array `features`, float16[rows, d] or float32
where `dtype` says so. The folder is the one that the extractor uses for the encoder, such as
`slowfast_features`; the name is the last part of the clip's id. Clips whose ids end alike are told
apart by their whole ids, with `%2F` for every slash. `{encoder}_info.csv` lists videos and files as
the extractor's own lists do; `videos.csv` says which clip is which.

Settings read: `dtype`, by default float16.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.core.names import NAME_BYTES, is_too_long
from reelpack.packs.base import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    only_arrays,
    only_variant,
    stored_array,
)

_VIDEOS = "videos.csv"
_COLUMNS = ("clip_id", "label", "rows", "video_path", "feature_path", "variant")
_INFO_COLUMNS = ("video_path", "feature_path")
_DEFAULT_DTYPE = "float16"
# What the extractor calls its models, where that is another name than ours.
_NAMES = {
    "resnet152": "resnet",
    "resnext101_3d": "3d-resnext",
    "slowfast_r50": "slowfast",
    "s3d": "mil-nce",
    "clip_vitb32": "clip-vit",
    "clip_rn50x4": "clip-rn50x4",
}


class HeroNpz(PackFormat):
    """A folder of `.npz` files, one per clip."""

    name = "hero_npz"
    version = 1

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when the recipe has several crops."""
        only_variant(context, what=self.name)

    def stored(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return features as float16[rows, d], or float32.

        Raises:
            ClipError: there are no rows, a number does not fit, or the id is no file name.
            UserError: the array holds no floats, or has another shape.
        """
        dtype = np.dtype(context.settings.get("dtype", _DEFAULT_DTYPE))
        given = only_arrays(entry.arrays, what=self.name)
        arrays = {name: _features(entry, rows, dtype) for name, rows in given.items()}
        if is_too_long(f"{_base(entry.clip_id)}.npz"):
            raise ClipError("pack", f"the id is too long for a file name ({NAME_BYTES} bytes)")
        notes = {"video": entry.video}
        return StoredEntry(entry.clip_id, entry.label, arrays, notes)

    def write(
        self,
        folder: Path,
        entries: Iterable[StoredEntry],
        context: PackContext,
        failed_ids: Callable[[], Sequence[str]],
    ) -> None:
        """Write one file per clip, and the two lists in the order of the clips."""
        del failed_ids
        variant = only_variant(context, what=self.name).name
        kind = _NAMES.get(context.encoder, context.encoder)
        place = folder / f"{kind}_features"
        # Which names clash is known only when the last clip has come.
        waiting = folder / ".waiting"
        waiting.mkdir()
        clips: list[tuple[str, int | None, int, str]] = []
        for number, entry in enumerate(entries):
            rows = stored_array(entry, variant)
            np.savez(waiting / f"{number}.npz", features=rows)
            clips.append((entry.clip_id, entry.label, len(rows), str(entry.notes["video"])))
        files = file_names([clip_id for clip_id, *_ in clips])
        place.mkdir()
        for number, file in enumerate(files):
            (waiting / f"{number}.npz").rename(place / file)
        waiting.rmdir()
        with (
            (folder / _VIDEOS).open("w", encoding="utf-8", newline="") as videos,
            (folder / f"{kind}_info.csv").open("w", encoding="utf-8", newline="") as info,
        ):
            table = csv.writer(videos, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
            table.writerow(_COLUMNS)
            listed = csv.writer(info, lineterminator="\n")
            listed.writerow(_INFO_COLUMNS)
            for (clip_id, label, count, video), file in zip(clips, files, strict=True):
                where = f"{place.name}/{file}"
                shown = "" if label is None else label
                table.writerow([clip_id, shown, count, video, where, variant])
                listed.writerow([video, where])

    def read(
        self, folder: Path, *, damaged: Container[str] = frozenset()
    ) -> Iterator[PackEntry | PackDamage]:
        """Read every file that `videos.csv` names."""
        if _VIDEOS in damaged:
            yield PackDamage(f"not read again, {_VIDEOS} is damaged")
            return
        try:
            videos = _read_videos(folder)
        except (OSError, ValueError) as error:
            yield PackDamage(f"{_VIDEOS}: {error}")
            return
        for video in videos:
            try:
                if video.file in damaged:
                    raise ValueError("not read again, it is damaged")
                rows = video.features(folder)
            except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
                yield PackDamage(f"{video.file}: {error}", video.variant, video.clip_id)
                continue
            yield PackEntry(video.variant, video.clip_id, video.label, rows, {"video": video.video})


class HeroFeatures:
    """The clips of a pack as a map-style dataset, for use with torch's `DataLoader`.

    Items are (clip_id, features float16[rows, d] or float32) in list order.
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

    def video(self, index: int) -> HeroVideo:
        """Return what `videos.csv` says of one clip."""
        return self._videos[index]

    def __getitem__(self, index: int) -> tuple[str, Array]:
        """Return (clip_id, features[rows, d])."""
        video = self._videos[index]
        return video.clip_id, video.features(self._folder)


def file_names(clip_ids: Sequence[str]) -> list[str]:
    """Return a file name for each clip: the last part of its id, or all of it where that clashes.

    Raises:
        UserError: two clips still have one name, or a whole id is too long for one.
    """
    bases = Counter(map(_base, clip_ids))
    names = [
        f"{_base(clip_id) if bases[_base(clip_id)] == 1 else clip_id.replace('/', '%2F')}.npz"
        for clip_id in clip_ids
    ]
    uses = Counter(names)
    for name, clip_id in zip(names, clip_ids, strict=True):
        if uses[name] > 1:
            raise UserError(f"hero_npz: two clips would both lie in {name}; give them other ids")
        if is_too_long(name):
            raise UserError(
                f"hero_npz: clip {clip_id} shares its last part with another, and its whole id is"
                f" too long for a file name; at most {NAME_BYTES} bytes"
            )
    return names


@dataclass(frozen=True)
class HeroVideo:
    """One row of `videos.csv`."""

    clip_id: str
    label: int | None
    video: str
    file: str
    variant: str

    def features(self, pack: Path) -> Array:
        """Read the rows: float[rows, d]."""
        with np.load(pack / self.file, allow_pickle=False) as arrays:
            rows: Array = arrays["features"]
            return rows


def _read_videos(folder: Path) -> list[HeroVideo]:
    with (folder / _VIDEOS).open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, strict=True)
        if tuple(table.fieldnames or ()) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        try:
            return [
                HeroVideo(
                    clip_id=row["clip_id"],
                    label=int(row["label"]) if row["label"] else None,
                    video=row["video_path"],
                    file=row["feature_path"],
                    variant=row["variant"],
                )
                for row in table
            ]
        except (TypeError, csv.Error) as error:
            raise ValueError(str(error)) from error


def _base(clip_id: str) -> str:
    return clip_id.rpartition("/")[2]


def _features(entry: Entry, rows: Array, dtype: np.dtype[np.floating]) -> Array:
    where = f"hero_npz: features of clip {entry.clip_id}"
    if rows.dtype.kind != "f":
        raise UserError(f"{where} are {rows.dtype}, allowed are floats")
    if rows.ndim != 2:
        raise UserError(f"{where} have shape {list(rows.shape)}, allowed is [rows, d]")
    if not len(rows):
        raise ClipError("pack", "the clip has no rows")
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(rows, dtype=dtype)
    if not np.isfinite(stored).all():
        raise ClipError(
            "pack", f"features hold numbers beyond {dtype}; pack.dtype: float32 has room"
        )
    return stored
