"""Clips that are no video files: a frame file, or one record of frames in a TFRecord file.

Flows in: a path, and a record's number where the file holds many clips. Flows out: upright RGB
frames and an index over them, on which every sampling rule works as on a video's.
"""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from reelpack.config.suffixes import PICTURE_SUFFIXES
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.video.bair import read_sequence
from reelpack.video.bitstream import Traits
from reelpack.video.index import VideoIndex, index_video
from reelpack.video.source import check_file, clip_errors

# What web servers send under the name of a .jpg; each reader more is a risk more.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

# JPEG files of phones hold more pictures, too, but no motion.
_MOVING_FORMATS = frozenset({"PNG", "GIF", "WEBP"})


def is_still(path: Path, record: int | None) -> bool:
    """Whether a clip is read whole, as frames, and not decoded as a video."""
    return record is not None or path.suffix.lower() in PICTURE_SUFFIXES


def index_clip(path: Path, record: int | None = None) -> VideoIndex:
    """Index a clip of any kind.

    Args:
        path: a video, a frame, or a TFRecord file.
        record: number of the clip, from 1, in a TFRecord file.

    Raises:
        ClipError: missing, corrupt, no_video or refused.
    """
    if is_still(path, record):
        return index_stills(path, read_stills(path, record))
    return index_video(path)


def read_stills(path: Path, record: int | None = None) -> Frame:
    """Read a clip that `is_still`: uint8[frames, height, width, 3], RGB.

    A frame is turned as its EXIF orientation says; an animated one is no single frame.

    Raises:
        ClipError: missing; corrupt, also for a file cut short; refused, for more than 179 million
            pixels, or for one that moves.
    """
    if record is not None:
        return read_sequence(path, record)
    check_file(path)
    with clip_errors(path, "corrupt"):
        data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            frames = getattr(image, "n_frames", 1) if image.format in _MOVING_FORMATS else 1
            if frames > 1:
                raise ClipError(
                    "refused",
                    f"{path}: an animated picture of {frames} frames, a single one is due",
                )
            upright = ImageOps.exif_transpose(_eight_bits(image)).convert("RGB")
    except Image.DecompressionBombError as error:
        raise ClipError("refused", f"{path}: {error}") from error
    # Pillow's readers raise all of these over damaged files.
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error) as error:
        raise ClipError("corrupt", f"{path}: no whole frame: {error}") from error
    return np.asarray(upright)[None]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a frame of at most eight bits per channel: Pillow would cut off grey ones at 255."""
    if not image.mode.startswith("I;16"):
        return image
    reduced = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    reduced.info["exif"] = image.getexif().tobytes()
    return reduced


def index_stills(path: Path, frames: Frame) -> VideoIndex:
    """Index frames: frame n stands at n seconds and lasts one, since nobody says how fast they came.

    A single frame file is no video of a second: it lasts no time, and each sampling rule takes it once.
    """
    count, height, width = frames.shape[:3]
    stamps = np.arange(count, dtype=np.int64)
    is_single = path.suffix.lower() in PICTURE_SUFFIXES
    return VideoIndex(
        path=path,
        stream_index=0,
        codec="picture" if is_single else "tfrecord",
        width=width,
        height=height,
        rotation=0,
        time_base=Fraction(1),
        average_rate=None if is_single else Fraction(1),
        pts=stamps,
        durations=np.full(count, 0 if is_single else 1, dtype=np.int64),
        origin_pts=0,
        packet_pts=stamps,
        packet_traits=np.full(count, Traits.ENTRY, dtype=np.uint8),
        packet_shown=np.ones(count, dtype=np.bool_),
        stream_count=1,
        has_audio=False,
        unplannable=None,
        is_frame=is_single,
    )
