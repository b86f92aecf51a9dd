"""Train a video transformer: equal codes and settings give equal bytes, however often it is killed.

Method of R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704: RMSprop lowers the
cross entropy of the codes of one slice of each video, drawn at random.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from reelpack.encoders.base import check_device, set_deterministic
from reelpack.errors import UserError
from reelpack.files import replace_file, write_bytes
from reelpack.results import canonical
from reelpack.training.order import batch_order

from .checkpoints import initial_model, save_model
from .likelihood import bits_per_dimension, foretold_slices, slice_losses
from .settings import TrainSettings
from .videos import Videos, Windows, stack_cuts

CHECKPOINT = "checkpoint.pt"
METRICS = ("step", "loss", "bits_per_dim", "held_out_bits_per_dim")
METRICS_ROWS = 500
PROBED_VIDEOS = 16
LEARNED, HELD_OUT = "training", "held-out"


def train(
    videos: Videos,
    settings: TrainSettings,
    folder: Path,
    *,
    device: str,
    held_out: Videos | None = None,
) -> None:
    """Train a transformer, or go on where a killed training of the same codes and settings stopped.

    Writes into `folder`: metrics.csv (about 500 rows, and one per evaluation), model.safetensors, and
    checkpoint.pt, which stays: with it a repeated call writes the other two again at once. With
    `held_out`, the published weights are those that foretold these videos best.

    Args:
        videos: the videos to learn from; those shorter than a cut are left out, with a line that
            says how many.
        settings: everything else that the result depends on.
        folder: made if missing.
        device: `cpu`, `cuda` or `cuda:N`. CPU and GPU give different weights.
        held_out: videos that only measure; `patience` needs them.

    Raises:
        UserError: no video is long enough, codes do not suit the model, or no such device.
    """
    check_device(device)
    if settings.patience and held_out is None:
        raise UserError("training.patience: needs held-out videos to measure on")
    set_deterministic(threads=settings.threads)
    folder.mkdir(parents=True, exist_ok=True)
    training = Training(videos, settings, device=device, held_out=held_out)
    training.resume(folder / CHECKPOINT)
    with tqdm(total=settings.steps, initial=training.step, unit="step", desc="transformer") as bar:
        while not training.done:
            loss = training.advance()
            bar.update()
            if loss is not None:
                bar.set_postfix(bits=f"{loss / math.log(2):.4f}", refresh=False)
            if training.step % settings.checkpoint_every == 0 or training.done:
                training.save(folder / CHECKPOINT)
    training.publish(folder)


class Training:
    """A training between two steps.

    Attributes:
        step: optimiser steps done.
        rows: metrics so far.
        best: bits per dimension of the best evaluation, its step and the weights it measured.
    """

    def __init__(
        self,
        videos: Videos,
        settings: TrainSettings,
        *,
        device: str,
        held_out: Videos | None = None,
    ) -> None:
        self.settings = settings
        self.device = torch.device(device)
        self.windows = self._windows(videos, LEARNED)
        self.held_out = None if held_out is None else self._windows(held_out, HELD_OUT)
        self.step = 0
        self.rows: list[list[float]] = []
        self.best: dict[str, Any] = {"bits": math.inf, "step": 0, "weights": None}
        sizes = settings.architecture
        self.model = initial_model(sizes, seed=settings.seed).to(self.device)
        self.slices = self._foretold(self.windows.cut(0)[None])
        self.optimizer = torch.optim.RMSprop(
            self.model.parameters(),
            lr=settings.learning_rate,
            alpha=settings.alpha,
            momentum=settings.momentum,
        )
        self.order = batch_order(len(self.windows), settings.batch, settings.seed)

    @property
    def done(self) -> bool:
        """Whether all steps are done, or patience is over."""
        settings = self.settings
        waited = (self.step - self.best["step"]) // settings.evaluate_every
        tired = bool(settings.patience) and waited >= settings.patience
        return self.step >= settings.steps or tired

    def advance(self) -> float | None:
        """Do one step; return its loss, nats per code, where its metrics are kept."""
        settings = self.settings
        codes, slices = self._batch(self.step)
        primed = settings.primed_frames
        loss = slice_losses(self.model, codes, slices, primed_frames=primed).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        last = self.step == settings.steps
        measured = self.held_out is not None and (last or self.step % settings.evaluate_every == 0)
        if not (last or measured) and self.step % max(1, settings.steps // METRICS_ROWS):
            return None
        figure = loss.item()
        held_out = self._evaluate() if measured else math.nan
        self.rows.append([self.step, figure, figure / math.log(2), held_out])
        return figure

    def _windows(self, videos: Videos, what: str) -> Windows:
        sizes = self.settings.architecture
        windows = Windows(
            videos, frames=self.settings.frames, codebooks=sizes.codebooks, codes=sizes.codes
        )
        if windows.too_short:
            tqdm.write(f"{windows.too_short} {what} videos are shorter than a cut and left out")
        return windows

    def _foretold(self, codes: Tensor) -> list[int]:
        primed = self.settings.primed_frames
        slices = foretold_slices(self.model, codes, primed_frames=primed)
        if not slices:
            raise UserError(
                f"training.primed_frames: {primed}; of {self.settings.frames} frames nothing is"
                " left to foretell"
            )
        return slices

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return codes int64[B, codebooks, T, H, W] and which slice of each, int64[B]."""
        noise = np.random.default_rng([self.settings.seed, 1, step])
        cuts, slices = [], []
        for index in self.order(step):
            start = int(noise.integers(self.windows.starts(int(index))))
            cuts.append(self.windows.cut(int(index), start=start))
            slices.append(self.slices[int(noise.integers(len(self.slices)))])
        return stack_cuts(cuts).to(self.device), torch.tensor(slices, device=self.device)

    def _evaluate(self) -> float:
        assert self.held_out is not None
        self.model.eval()
        bits = bits_per_dimension(
            self.model,
            self.held_out.batches(self.settings.batch),
            primed_frames=self.settings.primed_frames,
        )
        self.model.train()
        if bits < self.best["bits"]:
            weights = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
            self.best = {"bits": bits, "step": self.step, "weights": weights}
        return bits

    def _identity(self) -> str:
        """What a checkpoint must have been made from; a probe of the videos stands for all."""
        settings = asdict(self.settings)
        del settings["checkpoint_every"]
        probes = {
            what: [len(windows), _probe(windows)]
            for what, windows in ((LEARNED, self.windows), (HELD_OUT, self.held_out))
            if windows is not None
        }
        return canonical({"settings": settings, "videos": probes, "device": self.device.type})

    def save(self, checkpoint: Path) -> None:
        """Write everything that going on needs."""
        state = {
            "identity": self._identity(),
            "step": self.step,
            "rows": self.rows,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with replace_file(checkpoint) as temporary:
            torch.save(state, temporary)

    def resume(self, checkpoint: Path) -> None:
        """Take up a checkpoint, unless it is of other videos or settings."""
        if not checkpoint.is_file():
            return
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["identity"] != self._identity():
            tqdm.write(f"{checkpoint}: of other videos or settings, starting over")
            return
        self.step, self.rows, self.best = state["step"], state["rows"], state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def publish(self, folder: Path) -> None:
        """Write the files that others read, the model last."""
        if self.best["weights"] is not None:
            self.model.load_state_dict(self.best["weights"])
        lines = [",".join(METRICS), *(",".join(map(_figure, row)) for row in self.rows)]
        write_bytes(folder / "metrics.csv", ("\n".join(lines) + "\n").encode())
        with replace_file(folder / "model.safetensors") as temporary:
            save_model(self.model, temporary)


def _figure(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _probe(windows: Windows) -> list[str]:
    count = len(windows)
    probed = np.linspace(0, count - 1, min(count, PROBED_VIDEOS)).astype(int)
    return [hashlib.sha256(windows.cut(int(i)).numpy().tobytes()).hexdigest() for i in probed]
