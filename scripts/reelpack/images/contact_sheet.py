"""Contact sheets: labelled rows of frames or token maps on one sheet, for people to look at."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reelpack.core.arrays import Frame
from reelpack.core.evenly import evenly

_GAP = 4
_TITLE_POINTS = 13
_PAPER = (250, 250, 248)
_INK = (30, 30, 30)


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Frame]]],
    *,
    columns: int = 8,
    thumb_height: int = 96,
) -> Image.Image:
    """Lay out titled rows of frames.

    Every row has its title above it. A row with more frames than `columns` shows evenly spaced
    ones, the first and the last among them.

    Args:
        rows: title and frames, each uint8[H, W, 3] of any size.
        columns: the most frames in a row, at least 1.
        thumb_height: height of every frame in pixels; the width follows its shape.

    Returns:
        An RGB image, the same for the same input.

    Raises:
        ValueError: `columns` or `thumb_height` below 1, or a frame of another kind.
    """
    if columns < 1 or thumb_height < 1:
        raise ValueError(f"columns and thumb_height must be at least 1: {columns}, {thumb_height}")
    # Titles need no system fonts: this one comes with Pillow.
    font = ImageFont.load_default(_TITLE_POINTS)
    titles = [_drawable(title) for title, _ in rows]
    strips = [
        [_thumbnail(frame, thumb_height) for frame in evenly(frames, columns)] for _, frames in rows
    ]
    widths = [sum(thumb.width + _GAP for thumb in strip) for strip in strips]
    widths += [int(font.getlength(title)) + _GAP for title in titles]
    title_height = _TITLE_POINTS + _GAP
    row_height = title_height + thumb_height + 2 * _GAP
    sheet = Image.new("RGB", (max([1, *widths]) + _GAP, row_height * len(rows) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (title, strip) in enumerate(zip(titles, strips, strict=True)):
        top = _GAP + number * row_height
        draw.text((_GAP, top), title, fill=_INK, font=font)
        left = _GAP
        for thumb in strip:
            sheet.paste(thumb, (left, top + title_height))
            left += thumb.width + _GAP
    return sheet


def token_image(tokens: NDArray[Any], vocabulary: int) -> Frame:
    """Colour a map of tokens: equal tokens alike, different ones mostly far apart.

    Args:
        tokens: integers [h, w] in 0 to vocabulary - 1.
        vocabulary: how many tokens there are.

    Returns:
        uint8[h, w, 3], RGB.

    Raises:
        ValueError: another shape, or tokens out of range.
    """
    if tokens.ndim != 2:
        raise ValueError(f"tokens have shape {list(tokens.shape)}, allowed is [h, w]")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise ValueError(f"tokens must be 0 to {vocabulary - 1}")
    palette = np.random.default_rng(vocabulary).integers(24, 256, (vocabulary, 3), dtype=np.uint8)
    return np.asarray(palette[tokens], dtype=np.uint8)


def _thumbnail(frame: Frame, height: int) -> Image.Image:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise ValueError(f"a frame is {frame.dtype}{list(frame.shape)}, allowed is uint8[H, W, 3]")
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    # Enlarged token maps keep their edges.
    larger = height > frame.shape[0]
    method = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return Image.fromarray(frame).resize((width, height), method)


def _drawable(title: str) -> str:
    """Fold line breaks, accents and lone surrogates, which the font cannot draw."""
    plain = unicodedata.normalize("NFKD", title.encode(errors="replace").decode())
    return " ".join("".join(char for char in plain if not unicodedata.combining(char)).split())
