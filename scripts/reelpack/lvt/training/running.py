"""Run a training from its start, or from a killed run's checkpoint, to its results."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from lightning_fabric import Fabric

from reelpack.core.files import clear_leftovers, link_or_copy
from reelpack.core.results import digest
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.training.launch import launch
from reelpack.lvt.training.loop import CHECKPOINT, Looped, LoopSettings, run_loop


class RunSettings(Protocol):
    """What the settings of every training say of processes."""

    @property
    def threads(self) -> int: ...  # noqa: D102
    @property
    def devices(self) -> int: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102


def run_training(
    make: Callable[..., Looped], settings: RunSettings, loop: LoopSettings, *, device: str
) -> None:
    """Do all steps that are left in one process per device, and publish.

    Args:
        make: called with `fabric=` in each process; picklable where there are several devices.
        settings: of the training.
        loop: how it is run.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        UserError: no such device, or what the training raised.
    """
    launch(
        partial(_run_process, make=make, threads=settings.threads, loop=loop),
        device=device,
        devices=settings.devices,
        precision=settings.precision,
    )


def _run_process(
    fabric: Fabric, *, make: Callable[..., Looped], threads: int, loop: LoopSettings
) -> None:
    set_deterministic(threads=threads)
    run_loop(make(fabric=fabric), loop)


class TrainingJournal:
    """The folder of one training inside a stage's journal, which holds no other when it is done.

    Args:
        journal: the stage's folder for checkpoints.
        made_from: all that the training is made from: checkpoints belong to it alone.
        outputs: where each file of the folder is to go.
    """

    def __init__(self, journal: Path, *made_from: object, outputs: Mapping[str, Path]) -> None:
        self._journal, self._outputs = journal, outputs
        self.folder = journal / digest(*made_from)
        clear_leftovers(self.folder / CHECKPOINT, *(self.folder / name for name in outputs))

    def choose_events(self, tensorboard: Path | None) -> Path | None:
        """Return this training's folder of events: TensorBoard compares trainings by folder."""
        return tensorboard and tensorboard / self.folder.name[:8]

    def publish(self) -> None:
        """Put the results where they are to go, and remove what other trainings left."""
        for name, target in self._outputs.items():
            link_or_copy(self.folder / name, target)
        for other in self._journal.iterdir():
            if other != self.folder:
                shutil.rmtree(other)
