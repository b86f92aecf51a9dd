"""Lines and bars for inline SVG, in the units of a view box: training curves and histograms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 96
_MOST_POINTS = 160
_MOST_BARS = 128
_LOG_FROM = 100.0


@dataclass(frozen=True)
class Curve:
    """One column of a model's metrics.

    Attributes:
        name: the column.
        points: an SVG polyline in `WIDTH` x `HEIGHT`.
        low: value at the lower edge.
        high: value at the upper edge.
        last: the value of the last row.
        steps: training step of the last row.
        logarithmic: whether heights are those of the logarithm.
    """

    name: str
    points: str
    low: float
    high: float
    last: float
    steps: int
    logarithmic: bool


def read_curves(metrics: Path) -> Iterator[Curve]:
    """Yield a curve per column of a `metrics.csv` with a column `step`; empty columns are left out."""
    table = pd.read_csv(metrics)
    if "step" not in table:
        return
    for name in table.columns.drop("step"):
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
        good = np.isfinite(values)
        if good.any():
            yield _draw_curve(str(name), table["step"].to_numpy(np.float64)[good], values[good])


def _draw_curve(name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    # Means of runs of steps: single ones of a long training would draw a black band.
    runs = min(len(values), _MOST_POINTS)
    x = np.array([part.mean() for part in np.array_split(steps, runs)])
    y = np.array([part.mean() for part in np.array_split(values, runs)])
    low, high = float(y.min()), float(y.max())
    logarithmic = low > 0 and high / low >= _LOG_FROM
    heights = np.log(y) if logarithmic else y
    points = " ".join(
        f"{left:.1f},{HEIGHT - top:.1f}"
        for left, top in zip(_scale(x, WIDTH), _scale(heights, HEIGHT), strict=True)
    )
    return Curve(name, points, low, high, float(values[-1]), int(steps[-1]), logarithmic)


def _scale(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Lay values between 0 and a size; values that are all the same lie in the middle."""
    span = values.max() - values.min()
    if span == 0:
        return np.full(len(values), size / 2)
    scaled: NDArray[np.float64] = (values - values.min()) / span * size
    return scaled


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram, in `WIDTH` x `HEIGHT`."""

    x: float
    y: float
    width: float
    height: float


def draw_histogram(counts: NDArray[np.int64]) -> list[Bar]:
    """Return bars over ranges of equally many tokens; the tallest has the full height.

    Args:
        counts: int64[V], how often each token occurs.
    """
    sums = [int(part.sum()) for part in np.array_split(counts, min(len(counts), _MOST_BARS))]
    width, tallest = WIDTH / max(len(sums), 1), max([1, *sums])
    heights = [HEIGHT * count / tallest for count in sums]
    return [
        Bar(number * width, HEIGHT - height, width, height)
        for number, height in enumerate(heights)
        if height
    ]
