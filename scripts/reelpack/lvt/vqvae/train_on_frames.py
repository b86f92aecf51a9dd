"""Train a VQ-VAE: equal frames and settings give equal bytes, however often it is killed.

Method of R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704: Adam lowers
reconstruction plus commitment loss, and the codes follow the encoder as `codebook_learning` says.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from PIL import Image

from reelpack.config.training import decisive
from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.core.results import canonical
from reelpack.encoders.vqvae import channels_last, save_model, to_signed
from reelpack.lvt.training.ahead import STEPS_AHEAD, Ahead
from reelpack.lvt.training.launch import find_share
from reelpack.lvt.training.loop import LoopSettings
from reelpack.lvt.training.metrics import Metrics
from reelpack.lvt.training.plateau import Plateau
from reelpack.lvt.training.running import run_training
from reelpack.lvt.vqvae.codebook_learning import count_used_codes, mean_perplexity
from reelpack.lvt.vqvae.frame_batches import FrameBatches, TrainingFrames
from reelpack.lvt.vqvae.one_pass import VqvaePass, make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings

FIGURES = ("loss", "reconstruction", "commitment", "codes_used", "perplexity")
PICTURES = "pictures"
PICTURES_EVERY = 5000
SHOWN_FRAMES = 8


def train_vqvae(
    frames: TrainingFrames,
    settings: VqvaeTrainSettings,
    folder: Path,
    *,
    device: str,
    pictures_every: int = PICTURES_EVERY,
    events: Path | None = None,
) -> None:
    """Train a VQ-VAE, or go on where a killed training of the same frames and settings stopped.

    Writes into `folder`: metrics.csv (about 500 rows), reconstructions.png (above frames, below
    what the model makes of them), model.safetensors, and checkpoint.pt, which stays: with it a
    repeated call writes the other three again at once. While it trains, such pictures go into
    `pictures/{step}.png`.

    Args:
        frames: the training frames, uint8[image_size, image_size, 3]; picklable where there are
            several devices.
        settings: everything else that the result depends on.
        folder: made if missing.
        device: `cpu`, `cuda` or `cuda:N`. CPU and GPU give different weights.
        pictures_every: steps between pictures; 0 draws none.
        events: folder for TensorBoard's events; None writes none.

    Raises:
        UserError: no frames, frames of another size, or no such device.
    """
    if not len(frames):
        raise UserError("there is no frame to train on")
    pictures = (folder / PICTURES, pictures_every)
    run_training(
        partial(VqvaeTraining, frames, settings, pictures=pictures),
        settings,
        LoopSettings(folder, settings.checkpoint_every, settings.steps, events, title="VQ-VAE"),
        device=device,
    )


class VqvaeTraining:
    """A training between two steps; see `loop.Looped`.

    Args:
        frames: the training frames.
        settings: of the training.
        fabric: launched.
        pictures: folder for pictures, and the steps between them.
    """

    def __init__(
        self,
        frames: TrainingFrames,
        settings: VqvaeTrainSettings,
        *,
        fabric: Fabric,
        pictures: tuple[Path, int] | None = None,
    ) -> None:
        self.settings, self.fabric = settings, fabric
        self.device = fabric.device
        self.share = find_share(fabric)
        self.frames = FrameBatches(frames, settings, self.share)
        self.step = 0
        self.metrics = Metrics(FIGURES, steps=settings.steps)
        self.plateau = Plateau(
            every=settings.evaluate_every,
            patience=settings.patience,
            min_improvement=settings.min_improvement,
        )
        self.model = channels_last(make_initial_model(settings).to(self.device))
        learned = [*self.model.encoder.parameters(), *self.model.generator.parameters()]
        optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=settings.betas)
        one_pass = VqvaePass(self.model, settings, self.share)
        self.one_pass, self.optimizer = fabric.setup(one_pass, optimizer)
        self.batches = Ahead(
            self.frames.read_step, steps=settings.steps, ahead=STEPS_AHEAD[self.device.type]
        )
        self._pictures, self._pictures_every = pictures or (Path(), 0)

    @property
    def done(self) -> bool:
        """Whether all steps are done, or the loss has reached a plateau."""
        return self.step >= self.settings.steps or self.plateau.reached

    def advance(self) -> str | None:
        """Do one step; return its loss where it is one whose metrics are kept."""
        settings = self.settings
        frames = to_signed(self.batches(self.step).to(self.device))
        reconstruction, commitment, counts = self.one_pass(frames, (settings.seed, self.step))
        self.optimizer.zero_grad()
        self.fabric.backward(reconstruction + commitment)
        self.optimizer.step()
        self.step += 1
        losses = self.share.total(torch.stack([reconstruction.detach(), commitment.detach()]))
        losses /= self.share.of
        self.plateau.add(losses[0])
        self._draw()
        if not (self.done or self.metrics.wants(self.step)):
            return None
        figures = [t.item() for t in (losses[0] + losses[1], *losses)]
        use = [count_used_codes(counts), mean_perplexity(counts)]
        self.metrics.add(self.step, dict(zip(FIGURES, [*figures, *use], strict=True)))
        return f"loss={figures[0]:.4f}"

    def _draw(self) -> None:
        every = self._pictures_every
        if every and self.step % every == 0 and self.share.rank == 0:
            picture = self._reconstruct()
            self.metrics.show_picture(self.step, "reconstructions", picture)
            _save_picture(picture, self._pictures / f"{self.step:08d}.png")

    @cached_property
    def identity(self) -> str:
        """What a checkpoint must have been made from; a probe of the frames stands for all."""
        count, sums = len(self.frames), self.frames.sum_some()
        settings = decisive(asdict(self.settings))
        del settings["checkpoint_every"]
        return canonical(
            {"settings": settings, "frames": count, "probe": sums, "device": self.device.type}
        )

    def state(self) -> dict[str, Any]:
        """Return what going on needs, besides step and metrics."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **({"plateau": self.plateau.state()} if self.settings.patience else {}),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if "plateau" in state:
            self.plateau.load(state["plateau"])

    def publish(self, folder: Path) -> None:
        """Write the files that others read, the model last."""
        self.metrics.write_csv(folder / "metrics.csv")
        _save_picture(self._reconstruct(), folder / "reconstructions.png")
        save_model(self.model, folder / "model.safetensors")

    @torch.inference_mode()
    def _reconstruct(self) -> Frame:
        """Return uint8[2 H, shown * W, 3]: a row of frames above a row of reconstructions."""
        shown = self.frames.read_some(SHOWN_FRAMES)
        made = self.model.decode(self.model.encode(shown.to(self.device))).cpu()
        rows = [torch.cat(list(frames), dim=1) for frames in (shown, made)]
        grid: Frame = torch.cat(rows).numpy()
        return grid


def _save_picture(pixels: Frame, path: Path) -> None:
    with replace_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
