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
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.core.names import NAME_BYTES, is_too_long
from reelpack.packs.content import get_array, require_arrays
from reelpack.packs.entries import Array, Entry, PackContext, PackEntry, StoredEntry
from reelpack.packs.listing import CsvTable, ListedFormat, waiting_folder
from reelpack.packs.names import is_file_name

# What the extractor calls its models, where that is another name than ours.
_NAMES = {
    "resnet152": "resnet",
    "resnext101_3d": "3d-resnext",
    "slowfast_r50": "slowfast",
    "s3d": "mil-nce",
    "clip_vitb32": "clip-vit",
    "clip_rn50x4": "clip-rn50x4",
}


@dataclass(frozen=True)
class HeroVideo:
    """One row of `videos.csv`."""

    clip_id: str
    label: int | None
    rows: int
    video_path: str
    feature_path: str
    variant: str

    def list_files(self) -> list[str]:
        """Return the clip's file, relative to the pack."""
        return [self.feature_path]

    def read(self, folder: Path) -> PackEntry:
        """Read the features from a pack: float[rows, d]."""
        with np.load(folder / self.feature_path, allow_pickle=False) as arrays:
            rows = arrays["features"]
        return PackEntry(self.variant, self.clip_id, self.label, rows, {"video": self.video_path})


class HeroNpz(ListedFormat):
    """A folder of `.npz` files, one per clip."""

    table = CsvTable(HeroVideo)
    index = table.name

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return features as float16[rows, d], or float32.

        Raises:
            ClipError: there are no rows, a number does not fit, or the id cannot be a file's name.
            UserError: the array holds no floats, or has another shape.
        """
        dtype = np.dtype(self.get_setting(context, "dtype"))
        given = require_arrays(entry, self)
        arrays = {name: _cast_features(entry, rows, dtype) for name, rows in given.items()}
        file = f"{_get_name(entry.clip_id)}.npz"
        if is_too_long(file):
            raise ClipError("pack", f"the id is too long for a file name ({NAME_BYTES} bytes)")
        if not is_file_name(file):
            raise ClipError("pack", f"{file[:80]!r} cannot be the name of a file")
        return StoredEntry(entry.clip_id, entry.label, arrays, {"video": entry.video})

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write one file per clip, and the two lists in the order of the clips."""
        variant = self.get_crop(context)
        kind = _NAMES.get(context.encoder, context.encoder)
        place = folder / f"{kind}_features"
        clips: list[tuple[str, int | None, int, str]] = []
        # Which names clash is known only when the last clip has come.
        with waiting_folder(folder) as waiting:
            for number, entry in enumerate(entries):
                rows = get_array(entry, variant)
                np.savez(waiting / f"{number}.npz", features=rows)
                clips.append((entry.clip_id, entry.label, len(rows), str(entry.notes["video"])))
            files = name_files([clip_id for clip_id, *_ in clips])
            place.mkdir()
            for number, file in enumerate(files):
                (waiting / f"{number}.npz").rename(place / file)
        videos = [
            HeroVideo(*clip, f"{place.name}/{file}", variant)
            for clip, file in zip(clips, files, strict=True)
        ]
        self.table.write(folder, videos)
        with (folder / f"{kind}_info.csv").open("w", encoding="utf-8", newline="") as info:
            listed = csv.writer(info, lineterminator="\n")
            listed.writerow(("video_path", "feature_path"))
            listed.writerows((video.video_path, video.feature_path) for video in videos)


FORMAT = HeroNpz()


def name_files(clip_ids: Sequence[str]) -> list[str]:
    """Return a file name for each clip: the last part of its id, or all of it where that clashes.

    Raises:
        UserError: two clips still have one name, or a whole id is too long for one.
    """
    bases = Counter(map(_get_name, clip_ids))
    names = [
        f"{_get_name(clip_id) if bases[_get_name(clip_id)] == 1 else clip_id.replace('/', '%2F')}.npz"
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


def _get_name(clip_id: str) -> str:
    return clip_id.rpartition("/")[2]


def _cast_features(entry: Entry, rows: Array, dtype: np.dtype[np.floating]) -> Array:
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
