"""Scenes that move and carry texture, a frame at a time."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelpack.core.arrays import Frame

Motion = Literal["circles", "waves", "blocks", "rings"]
MOTIONS: tuple[Motion, ...] = ("circles", "waves", "blocks", "rings")


def draw_scene(motion: Motion, *, seconds: float, size: tuple[int, int], seed: int) -> Frame:
    """Draw one frame of a moving scene.

    Args:
        motion: what moves.
        seconds: the time in the scene.
        size: width and height in pixels.
        seed: chooses texture, colours and speed.

    Returns:
        uint8[H, W, 3], RGB.
    """
    width, height = size
    phase = seed % 7
    unit = min(size) / 100
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if motion == "circles":
        centre_x = width * (0.5 + 0.3 * np.sin(seconds * (1.7 + phase / 5)))
        centre_y = height * (0.5 + 0.28 * np.cos(seconds * (2.3 + phase / 7)))
        inside = 22 * unit - np.hypot(x - centre_x, y - centre_y)
    elif motion == "waves":
        bend = 9 * unit * np.sin(y / (9 * unit) + seconds * 3)
        inside = 8 * np.sin((x + bend) / ((5 + phase / 2) * unit) - seconds * 5)
    elif motion == "blocks":
        across = (x + seconds * (30 + 4 * phase) * unit) % (56 * unit) - 28 * unit
        down = (y - seconds * 21 * unit) % (56 * unit) - 28 * unit
        inside = 15 * unit - np.maximum(abs(across), abs(down))
    else:
        radius = np.hypot(x - width / 2, y - height / 2)
        inside = 8 * np.sin(radius / ((5 + phase / 2) * unit) - seconds * 6)
    ground, thing = _choose_colours(seed)
    share = np.clip(inside + 0.5, 0, 1)[..., None]
    grain = np.roll(_make_texture(seed, size), (int(seconds * 9), int(seconds * 23)), (0, 1))
    colours = ground + share * (thing - ground) + grain
    return np.asarray(np.clip(colours, 0, 255), dtype=np.uint8)


def _choose_colours(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a dull colour for the ground and a bright one for what moves."""
    bright = 0.6 + 0.4 * np.cos(2 * np.pi * (seed % 31 / 31 + np.array([0, 1 / 3, 2 / 3])))
    dull = 0.35 - 0.12 * np.cos(2 * np.pi * (seed % 29 / 29 + np.array([0, 1 / 3, 2 / 3])))
    return (255 * dull).astype(np.float32), (255 * bright).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _make_texture(seed: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return float32[H, W, 1] of coarse and fine grain around 0."""
    noise = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for cell, strength in ((24, 44), (7, 26), (2, 14)):
        shape = (size[1] // cell + 2, size[0] // cell + 2)
        grid = Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8))
        smooth = np.asarray(grid.resize(size, Image.Resampling.BILINEAR), np.float32)
        total += strength * (smooth / 255 - 0.5)
    return total[..., None]
