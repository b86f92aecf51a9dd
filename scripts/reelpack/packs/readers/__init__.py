"""Packs as torch datasets: `open_pack(folder)` for any format.

Every dataset gives `Sample`s, one per clip of the pack and each exactly once, whatever the number of
a `DataLoader`'s workers, forked or spawned. All are map-style but that of `webdataset`, which streams
its shards. Clips differ in length, so use `batch_size=None` or an own `collate_fn`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from reelpack.core.errors import UserError
from reelpack.packs.publish import PROVENANCE
from reelpack.packs.readers.arrays import Hdf5Pack, HeroPack, LvtPack, ParquetPack, VimpacPack
from reelpack.packs.readers.base import Sample
from reelpack.packs.readers.folders import FoldersPack
from reelpack.packs.readers.seeds import FavdFramesPack, FavdPack, VioletFramesPack, VioletVqPack
from reelpack.packs.readers.stream import WebDatasetPack

READERS: dict[str, Callable[[Path], Dataset[Any]]] = {
    "vimpac_lmdb": VimpacPack,
    "lvt_codes": LvtPack,
    "png_folders": FoldersPack,
    "frame_folders": FoldersPack,
    "webdataset": WebDatasetPack,
    "parquet": ParquetPack,
    "hdf5": Hdf5Pack,
    "violet_frames": VioletFramesPack,
    "violet_vq": VioletVqPack,
    "favd_tsv": FavdPack,
    "favd_frames": FavdFramesPack,
    "hero_npz": HeroPack,
}

__all__ = ["READERS", "Sample", "open_pack"]


def open_pack(folder: str | os.PathLike[str]) -> Dataset[Any]:
    """Return a pack as a dataset of `Sample`s; an `IterableDataset` for `webdataset`.

    Args:
        folder: the pack, with its `provenance.json`.

    Raises:
        UserError: the folder is no finished pack, or its format has no reader here.
    """
    folder = Path(folder)
    try:
        name = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} is no finished pack: it has no good {PROVENANCE}") from None
    if name not in READERS:
        known = ", ".join(sorted(READERS))
        raise UserError(f"{folder}: format {name!r} has no reader; formats with one: {known}")
    return READERS[name](folder)
