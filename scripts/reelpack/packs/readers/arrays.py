"""Readers of packs that hold clips in a few large files, of token packs, and of HERO's features."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch.utils.data import Dataset

from reelpack.core.errors import UserError
from reelpack.packs.hdf5_file import read_clip
from reelpack.packs.hero_npz import HeroFeatures
from reelpack.packs.lvt_codes import LvtVideos
from reelpack.packs.parquet_columns import read_row
from reelpack.packs.parquet_files import file_paths
from reelpack.packs.readers.base import OpensLate, Sample, sample_of
from reelpack.packs.vimpac_lmdb import ARGS, NO_LABEL, VimpacTokens


class VimpacPack(Dataset[Sample]):
    """All LMDB folders of a `vimpac_lmdb` pack, in the order of sorted keys."""

    def __init__(self, folder: Path) -> None:
        """Read the keys.

        Raises:
            UserError: the folders do not hold the same clips.
        """
        places = sorted(path.parent for path in folder.glob(f"*/{ARGS}"))
        self._crops = {
            str(json.loads((place / ARGS).read_text(encoding="utf-8"))["variant"]): VimpacTokens(
                place
            )
            for place in places
            if not place.is_symlink()
        }
        first, *others = self._crops.values()
        if any(other.clip_ids != first.clip_ids for other in others):
            raise UserError(f"{folder}: its crops do not hold the same clips; run verify_pack.py")
        self._first = first

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, index: int) -> Sample:
        rows = {name: tokens[index] for name, tokens in self._crops.items()}
        clip_id, _, label = next(iter(rows.values()))
        arrays = {name: tokens for name, (_, tokens, _) in rows.items()}
        return Sample(clip_id, arrays, None if label == NO_LABEL else label, None)


class LvtPack(Dataset[Sample]):
    """The videos of an `lvt_codes` pack, in the order of `video_idx`."""

    def __init__(self, folder: Path) -> None:
        self._videos = LvtVideos(folder)

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, index: int) -> Sample:
        clip_id, codes = self._videos[index]
        video = self._videos.video(index)
        return Sample(clip_id, {video.variant: codes}, video.label, None)


class HeroPack(Dataset[Sample]):
    """The clips of a `hero_npz` pack, in list order."""

    def __init__(self, folder: Path) -> None:
        self._clips = HeroFeatures(folder)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> Sample:
        clip_id, features = self._clips[index]
        video = self._clips.video(index)
        return Sample(clip_id, {video.variant: features}, video.label, None)


class ParquetPack(OpensLate[list[pq.ParquetFile]], Dataset[Sample]):
    """The rows of a `parquet` pack, in list order.

    A clip is read with its row group, and the last row group stays in memory: going through the rows
    in order reads each once. For shuffled access convert the pack with Hugging Face `datasets`.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = file_paths(folder)
        self._groups: list[tuple[int, int]] = []
        rows = [0]
        for number, path in enumerate(self._paths):
            about = pq.read_metadata(path)
            for group in range(about.num_row_groups):
                self._groups.append((number, group))
                rows.append(about.row_group(group).num_rows)
        self._ends = np.cumsum(rows)
        self._cached: tuple[int, pa.RecordBatch] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        group = int(np.searchsorted(self._ends, index, side="right")) - 1
        return sample_of(read_row(self._batch(group), index - int(self._ends[group])))

    def _open(self) -> list[pq.ParquetFile]:
        return [pq.ParquetFile(path) for path in self._paths]

    def _batch(self, group: int) -> pa.RecordBatch:
        if self._cached is None or self._cached[0] != group:
            number, part = self._groups[group]
            table = self._opened()[number].read_row_group(part, use_threads=False)
            self._cached = group, table.combine_chunks().to_batches()[0]
        return self._cached[1]

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "_cached": None}


class Hdf5Pack(OpensLate[h5py.File], Dataset[Sample]):
    """The clips of an `hdf5` pack, in list order."""

    def __init__(self, folder: Path) -> None:
        (self._path,) = sorted(folder.glob("*.h5"))
        with h5py.File(self._path, "r") as file:
            self._length = len(file["clip_id"])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return sample_of(read_clip(self._opened(), index))

    def _open(self) -> h5py.File:
        return h5py.File(self._path, "r")
