"""Train a video transformer: equal codes and settings give equal bytes, however often it is killed.

Method of R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704: RMSprop lowers the
cross entropy of the codes of one slice of each video, drawn at random.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.errors import UserError
from reelpack.core.results import canonical
from reelpack.lvt.training.ahead import STEPS_AHEAD, Ahead
from reelpack.lvt.training.launch import find_share
from reelpack.lvt.training.loop import LoopSettings
from reelpack.lvt.training.metrics import Metrics
from reelpack.lvt.training.order import order_batches
from reelpack.lvt.training.running import run_training
from reelpack.lvt.transformer.code_videos import CodeVideos, VideoCuts, stack_cuts
from reelpack.lvt.transformer.likelihood import (
    average_bits,
    compute_losses,
    list_predicted_slices,
    sum_information,
)
from reelpack.lvt.transformer.model import VideoTransformer
from reelpack.lvt.transformer.model_files import make_initial_model, save_model

FIGURES = ("loss", "bits_per_dim", "held_out_bits_per_dim")
PROBED_VIDEOS = 16
LEARNED, HELD_OUT = "training", "held-out"


def train_transformer(
    videos: CodeVideos,
    settings: TransformerSettings,
    folder: Path,
    *,
    device: str,
    held_out: CodeVideos | None = None,
    events: Path | None = None,
) -> None:
    """Train a transformer, or go on where a killed training of the same codes and settings stopped.

    Writes into `folder`: metrics.csv (about 500 rows, and one per evaluation), model.safetensors, and
    checkpoint.pt, which stays: with it a repeated call writes the other two again at once. With
    `held_out`, the published weights are those that predicted these videos best.

    Args:
        videos: the videos to learn from; those shorter than a cut are left out, with a line that
            says how many. Picklable where there are several devices, as `held_out`.
        settings: everything else that the result depends on.
        folder: made if missing.
        device: `cpu`, `cuda` or `cuda:N`. CPU and GPU give different weights.
        held_out: videos that only measure; `patience` needs them.
        events: folder for TensorBoard's events; None writes none.

    Raises:
        UserError: no video is long enough, codes do not suit the model, or no such device.
    """
    if settings.patience and held_out is None:
        raise UserError("training.patience: needs held-out videos to measure on")
    run_training(
        partial(TransformerTraining, videos, settings, held_out=held_out),
        settings,
        LoopSettings(
            folder, settings.checkpoint_every, settings.steps, events, title="transformer"
        ),
        device=device,
    )


class SlicePass(nn.Module):
    """One pass of a training: the losses of one slice of each video.

    Args:
        model: the model.
        primed_frames: frames that are given.
    """

    def __init__(self, model: VideoTransformer, primed_frames: int) -> None:
        super().__init__()
        self.model, self.primed_frames = model, primed_frames

    def forward(self, codes: Tensor, slices: Tensor) -> Tensor:
        """Return float32[M], nats, one for each predicted code; see `compute_losses`."""
        return compute_losses(self.model, codes, slices, primed_frames=self.primed_frames)


class TransformerTraining:
    """A training between two steps; see `loop.Looped`.

    Args:
        videos: the videos to learn from.
        settings: of the training.
        fabric: launched.
        held_out: videos that only measure.

    Attributes:
        best: bits per dimension of the best evaluation, its step and the weights it measured.
    """

    def __init__(
        self,
        videos: CodeVideos,
        settings: TransformerSettings,
        *,
        fabric: Fabric,
        held_out: CodeVideos | None = None,
    ) -> None:
        self.settings, self.fabric = settings, fabric
        self.device = fabric.device
        self.share = find_share(fabric)
        self.cuts = self._cut_videos(videos, LEARNED)
        self.held_out = None if held_out is None else self._cut_videos(held_out, HELD_OUT)
        self.step = 0
        self.metrics = Metrics(FIGURES, steps=settings.steps)
        self.best: dict[str, Any] = {"bits": math.inf, "step": 0, "weights": None}
        sizes = settings.architecture
        self.model = make_initial_model(sizes, seed=settings.seed).to(self.device)
        self.slices = self._choose_slices(self.cuts.cut(0)[None])
        optimizer = torch.optim.RMSprop(
            self.model.parameters(),
            lr=settings.learning_rate,
            alpha=settings.alpha,
            momentum=settings.momentum,
        )
        one_pass = SlicePass(self.model, settings.primed_frames)
        self.one_pass, self.optimizer = fabric.setup(one_pass, optimizer)
        self.order = order_batches(len(self.cuts), settings.batch, settings.seed)
        self.batches = Ahead(
            self._read_batch, steps=settings.steps, ahead=STEPS_AHEAD[self.device.type]
        )

    @property
    def done(self) -> bool:
        """Whether all steps are done, or patience is over."""
        settings = self.settings
        waited = (self.step - self.best["step"]) // settings.evaluate_every
        tired = bool(settings.patience) and waited >= settings.patience
        return self.step >= settings.steps or tired

    def advance(self) -> str | None:
        """Do one step; return its bits per code, where its metrics are kept."""
        settings = self.settings
        losses = self.one_pass(*(part.to(self.device) for part in self.batches(self.step)))
        # Parts may predict different numbers of codes; each code of the batch counts the same.
        count = self.share.total(torch.tensor(len(losses), device=self.device))
        loss = losses.mean() * (len(losses) * self.share.of / count)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.step += 1
        last = self.step == settings.steps
        measured = self.held_out is not None and (last or self.step % settings.evaluate_every == 0)
        if not (last or measured or self.metrics.wants(self.step)):
            return None
        figure = self.share.total(loss.detach()).item() / self.share.of
        held_out = self._evaluate() if measured else math.nan
        bits = figure / math.log(2)
        self.metrics.add(self.step, dict(zip(FIGURES, (figure, bits, held_out), strict=True)))
        return f"bits={bits:.4f}"

    def _cut_videos(self, videos: CodeVideos, what: str) -> VideoCuts:
        sizes = self.settings.architecture
        cuts = VideoCuts(
            videos, frames=self.settings.frames, codebooks=sizes.codebooks, codes=sizes.codes
        )
        if cuts.too_short and self.share.rank == 0:
            tqdm.write(f"{cuts.too_short} {what} videos are shorter than a cut and left out")
        return cuts

    def _choose_slices(self, codes: Tensor) -> list[int]:
        primed = self.settings.primed_frames
        slices = list_predicted_slices(self.model, codes, primed_frames=primed)
        if not slices:
            raise UserError(
                f"training.primed_frames: {primed}; of {self.settings.frames} frames nothing is"
                " left to predict"
            )
        return slices

    def _read_batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return this process's part, codes int64[B, codebooks, T, H, W] and slices int64[B], on the CPU."""
        noise = np.random.default_rng([self.settings.seed, 1, step])
        drawn = []
        for index in self.order(step).tolist():
            start = int(noise.integers(self.cuts.starts(index)))
            drawn.append((index, start, self.slices[int(noise.integers(len(self.slices)))]))
        own = drawn[self.share.part(len(drawn))]
        own_cuts = [self.cuts.cut(index, start=start) for index, start, _ in own]
        return stack_cuts(own_cuts), torch.tensor([number for *_, number in own])

    def _evaluate(self) -> float:
        assert self.held_out is not None
        share = self.share
        batches = self.held_out.batches(self.settings.batch // share.of)
        own = islice(batches, share.rank, None, share.of)
        self.model.eval()
        with self.fabric.autocast():
            found = sum_information(self.model, own, primed_frames=self.settings.primed_frames)
        self.model.train()
        bits = average_bits(share.total(found))
        if bits < self.best["bits"]:
            weights = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
            self.best = {"bits": bits, "step": self.step, "weights": weights}
        return bits

    @cached_property
    def identity(self) -> str:
        """What a checkpoint must have been made from; a probe of the videos stands for all."""
        settings = asdict(self.settings)
        del settings["checkpoint_every"]
        probes = {
            what: [len(cuts), _probe(cuts)]
            for what, cuts in ((LEARNED, self.cuts), (HELD_OUT, self.held_out))
            if cuts is not None
        }
        return canonical({"settings": settings, "videos": probes, "device": self.device.type})

    def state(self) -> dict[str, Any]:
        """Return what going on needs, besides step and metrics."""
        return {
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.best = state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def publish(self, folder: Path) -> None:
        """Write the files that others read, the model last."""
        if self.best["weights"] is not None:
            self.model.load_state_dict(self.best["weights"])
        self.metrics.write_csv(folder / "metrics.csv")
        save_model(self.model, folder / "model.safetensors")


def _probe(cuts: VideoCuts) -> list[str]:
    count = len(cuts)
    probed = np.linspace(0, count - 1, min(count, PROBED_VIDEOS)).astype(int)
    return [hashlib.sha256(cuts.cut(int(i)).numpy().tobytes()).hexdigest() for i in probed]
