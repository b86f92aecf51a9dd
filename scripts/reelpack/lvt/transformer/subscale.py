"""Which positions of a video form a slice, and which finished ones around each it may see.

Subscale order (arXiv 1906.02634, section 3.1): slice (a, b, c) holds the positions (a, b, c) plus
multiples of the stride; slices come in the order of a, then b, then c. All tables hold flat positions
of a video [T, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from reelpack.config.transformer_sizes import Sizes, Triple

HIDDEN = -1


@dataclass(frozen=True)
class SubscaleTables:
    """The geometry of one model on videos of one size.

    Attributes:
        shape: sides of a slice (t, h, w); N is their product.
        positions: int64[slices, N], the positions of each slice in raster order.
        context: int64[slices, N, K], for each position the window of K positions around it;
            `HIDDEN` where it leaves the video or where the slice is not finished yet.
    """

    shape: Triple
    positions: Tensor
    context: Tensor


@lru_cache(maxsize=4)
def make_tables(sizes: Sizes, video: Triple) -> SubscaleTables:
    """Return the tables for videos of these sides (T, H, W).

    Raises:
        UserError: the video does not fall into whole slices and blocks.
    """
    shape = sizes.slice_shape(video)
    offsets = _list_points(*(range(side) for side in sizes.stride))
    inside = _list_points(*(range(n) for n in shape)) * np.array(sizes.stride)
    window = _list_points(*(range(-(side // 2), side // 2 + 1) for side in sizes.kernel))
    places = offsets[:, None] + inside
    seen = places[:, :, None] + window
    within = ((seen >= 0) & (seen < np.array(video))).all(axis=-1)
    number = np.ravel_multi_index(
        tuple(np.moveaxis(seen % np.array(sizes.stride), -1, 0)), sizes.stride
    )
    finished = number < np.arange(sizes.slices)[:, None, None]
    flat = _flatten_points(seen % np.array(video), video)
    context = np.where(within & finished, flat, HIDDEN)
    return SubscaleTables(
        shape, torch.from_numpy(_flatten_points(places, video)), torch.from_numpy(context)
    )


def _list_points(*axes: range) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return int64[n, 3], all points of a grid in raster order."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _flatten_points(
    points: np.ndarray[tuple[int, ...], np.dtype[np.int64]], video: Triple
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(points, -1, 0)), video), np.int64)
