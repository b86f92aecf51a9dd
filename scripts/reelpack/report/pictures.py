"""Pictures as data URIs, so that a page needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from reelpack.core.arrays import Frame

_THUMB_HEIGHT = 72
_GAP = 3
_WIDEST = 1200
_QUALITY = 88


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
        uri: a `data:` URI.
        width: pixels.
        height: pixels.
    """

    uri: str
    width: int
    height: int


def draw_strip(rows: Sequence[Sequence[Frame]]) -> Picture:
    """Lay rows of frames out on a transparent ground, the rows one below the other.

    Args:
        rows: frames uint8[H, W, 3] of any size; at least one in all.
    """
    thumbs = [[_draw_thumb(frame) for frame in row] for row in rows if row]
    width = max(sum(thumb.width + _GAP for thumb in row) for row in thumbs) - _GAP
    height = (_THUMB_HEIGHT + _GAP) * len(thumbs) - _GAP
    ground = Image.new("RGBA", (width, height))
    for number, row in enumerate(thumbs):
        left = 0
        for thumb in row:
            ground.paste(thumb, (left, number * (_THUMB_HEIGHT + _GAP)))
            left += thumb.width + _GAP
    return _inline(ground)


def _draw_thumb(frame: Frame) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame))
    width = max(1, round(picture.width * _THUMB_HEIGHT / picture.height))
    # Token maps are far smaller than a thumb, and their edges mean something.
    small = picture.height * 2 <= _THUMB_HEIGHT
    method = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return picture.resize((width, _THUMB_HEIGHT), method)


def load_picture(path: Path) -> Picture | None:
    """Return a picture from a file, no wider than a page needs; None when there is no good one."""
    try:
        with Image.open(path) as picture:
            picture.thumbnail((_WIDEST, _WIDEST))
            return _inline(picture.convert("RGB"))
    except (FileNotFoundError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _inline(picture: Image.Image) -> Picture:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=_QUALITY)
    text = base64.b64encode(stream.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{text}", picture.width, picture.height)
