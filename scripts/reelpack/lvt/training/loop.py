"""The loop of every training: steps, checkpoints, and going on where a killed run stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from reelpack.core.files import replace_file
from reelpack.lvt.training.metrics import Metrics
from reelpack.lvt.training.share import Share

CHECKPOINT = "checkpoint.pt"


class Looped(Protocol):
    """A training between two steps.

    Attributes:
        step: optimiser steps done.
        metrics: figures so far.
        share: which part of every batch this process has.
        device: where its tensors lie.
    """

    step: int
    metrics: Metrics
    share: Share
    device: torch.device

    @property
    def done(self) -> bool:
        """Whether all steps are done."""
        ...

    def advance(self) -> str | None:
        """Do one step; return what to show of it, where it has a row of metrics."""
        ...

    @property
    def identity(self) -> str:
        """What a checkpoint must have been made from."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what going on needs, besides step and metrics: tensors and plain values."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        ...

    def publish(self, folder: Path) -> None:
        """Write the files that others read, the model last."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """How a training is run; none of it changes the result.

    Attributes:
        folder: for checkpoints and results.
        checkpoint_every: steps between checkpoints.
        steps: the most that there can be.
        events: folder for TensorBoard's events, or None.
        title: what the progress bar says.
    """

    folder: Path
    checkpoint_every: int
    steps: int
    events: Path | None
    title: str


def run_loop(training: Looped, settings: LoopSettings) -> None:
    """Do all steps that are left, and publish; of several processes the first one writes.

    Args:
        training: fresh; it takes up the folder's checkpoint, if that was made from the same.
        settings: how.
    """
    checkpoint = settings.folder / CHECKPOINT
    is_first = training.share.rank == 0
    resume(training, checkpoint)
    if is_first and settings.events and not training.done:
        training.metrics.open_events(settings.events, step=training.step)
    try:
        _go_on(training, settings, is_first=is_first)
    finally:
        training.metrics.close()
    if is_first:
        training.publish(settings.folder)


def _go_on(training: Looped, settings: LoopSettings, *, is_first: bool) -> None:
    with tqdm(
        total=settings.steps,
        initial=training.step,
        unit="step",
        desc=settings.title,
        disable=not is_first,
    ) as bar:
        while not training.done:
            shown = training.advance()
            bar.update()
            if shown is not None:
                bar.set_postfix_str(shown, refresh=False)
            if is_first and (training.step % settings.checkpoint_every == 0 or training.done):
                save(training, settings.folder / CHECKPOINT)
                training.metrics.flush()


def save(training: Looped, checkpoint: Path) -> None:
    """Write everything that going on needs."""
    state = {
        "identity": training.identity,
        "step": training.step,
        "rows": training.metrics.rows,
        **training.state(),
    }
    with replace_file(checkpoint) as temporary:
        torch.save(state, temporary)


def resume(training: Looped, checkpoint: Path) -> None:
    """Take up a checkpoint, unless it is of other data or settings."""
    if not checkpoint.is_file():
        return
    state = torch.load(checkpoint, map_location=training.device, weights_only=True)
    if state["identity"] != training.identity:
        if training.share.rank == 0:
            tqdm.write(f"{checkpoint}: of other data or settings, starting over")
        return
    training.step, training.metrics.rows = state["step"], state["rows"]
    training.load(state)
