"""Figures of a training: rows of metrics.csv, and events for TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from reelpack.core.arrays import Frame
from reelpack.core.files import write_bytes

METRICS_ROWS = 500


class Metrics:
    """What was measured at some of the steps.

    The rows are the training's result; events bear the time, and are not part of it.

    Args:
        names: of the figures, the columns behind `step`.
        steps: of the whole training; about 500 of them have a row.

    Attributes:
        rows: the step and its figures, each.
    """

    def __init__(self, names: Sequence[str], *, steps: int) -> None:
        self.names = tuple(names)
        self.rows: list[list[float]] = []
        self._every = max(1, steps // METRICS_ROWS)
        self._writer: SummaryWriter | None = None

    def wants(self, step: int) -> bool:
        """Whether a step is one of those that have a row in any case."""
        return step % self._every == 0

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep a step's figures; one that is missing or not a number stays empty."""
        row = [figures.get(name, math.nan) for name in self.names]
        self.rows.append([step, *row])
        if self._writer is not None:
            for name, value in zip(self.names, row, strict=True):
                if not math.isnan(value):
                    self._writer.add_scalar(name, value, step)

    def show_picture(self, step: int, name: str, pixels: Frame) -> None:
        """Show a picture of pixels, uint8[H, W, 3], in TensorBoard."""
        if self._writer is not None:
            self._writer.add_image(name, pixels, step, dataformats="HWC")

    def open_events(self, folder: Path, *, step: int) -> None:
        """Write events into a folder from now on.

        Args:
            folder: made if missing; events of killed runs may lie there.
            step: steps done; TensorBoard drops what a killed run wrote of later ones.
        """
        # The name tells two runs apart that start in one second.
        self._writer = SummaryWriter(
            str(folder), purge_step=step + 1, filename_suffix=f".{step:08d}"
        )

    def flush(self) -> None:
        """Have events on disk."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """End the events."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def write_csv(self, path: Path) -> None:
        """Write the rows."""
        lines = [
            ",".join(("step", *self.names)),
            *(",".join(map(_format, row)) for row in self.rows),
        ]
        write_bytes(path, ("\n".join(lines) + "\n").encode())


def _format(value: Any) -> str:
    return "" if math.isnan(value) else repr(value)
