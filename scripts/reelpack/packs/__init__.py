"""Pack formats by name, and the way a pack is published."""

from __future__ import annotations

from reelpack.core.errors import UserError
from reelpack.images.files import FrameSequence, Pictures
from reelpack.packs.base import (
    AUDIO,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    PackFormat,
    StoredEntry,
    Variant,
)
from reelpack.packs.favd import FavdTsv
from reelpack.packs.favd_frames import FavdFrames
from reelpack.packs.frame_folders import FrameFolders, PngFolders
from reelpack.packs.hdf5_file import Hdf5File
from reelpack.packs.hero_npz import HeroNpz
from reelpack.packs.lvt_codes import LvtCodes
from reelpack.packs.parquet_files import ParquetFiles
from reelpack.packs.publish import publish
from reelpack.packs.vimpac_lmdb import VimpacLmdb
from reelpack.packs.violet import VioletFrames, VioletVq
from reelpack.packs.webdataset_tars import WebDatasetTars

_ALL: tuple[PackFormat, ...] = (
    VimpacLmdb(),
    LvtCodes(),
    PngFolders(),
    FrameFolders(),
    WebDatasetTars(),
    ParquetFiles(),
    Hdf5File(),
    VioletFrames(),
    VioletVq(),
    FavdTsv(),
    FavdFrames(),
    HeroNpz(),
)
FORMATS: dict[str, PackFormat] = {pack_format.name: pack_format for pack_format in _ALL}

__all__ = [
    "AUDIO",
    "FORMATS",
    "Entry",
    "FrameSequence",
    "PackContext",
    "PackDamage",
    "PackEntry",
    "PackFormat",
    "Pictures",
    "StoredEntry",
    "Variant",
    "get_format",
    "publish",
]


def get_format(name: str) -> PackFormat:
    """Return a pack format.

    Raises:
        UserError: no format has this name.
    """
    try:
        return FORMATS[name]
    except KeyError:
        allowed = ", ".join(sorted(FORMATS))
        raise UserError(f"pack format {name!r} does not exist; allowed are: {allowed}") from None
