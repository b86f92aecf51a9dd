"""Train a VQ-VAE: equal frames and settings give equal bytes, however often it is killed.

Method of R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704: Adam lowers
reconstruction plus commitment loss, and the codes follow the encoder as `codebook_learning` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn

from reelpack.config.training import check_sharing, decisive
from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.core.results import canonical
from reelpack.encoders.vqvae import (
    STRIDE,
    VQVAE,
    Architecture,
    channels_last,
    save_model,
    to_signed,
)
from reelpack.jobs.device import set_deterministic
from reelpack.lvt.training import loop
from reelpack.lvt.training.ahead import STEPS_AHEAD, Ahead
from reelpack.lvt.training.launch import launch, share_of
from reelpack.lvt.training.metrics import Metrics
from reelpack.lvt.training.order import Indices, batch_order, clip_order
from reelpack.lvt.training.plateau import Plateau
from reelpack.lvt.training.share import Share
from reelpack.lvt.vqvae.codebook_learning import codes_used, learn, perplexity

FIGURES = ("loss", "reconstruction", "commitment", "codes_used", "perplexity")
PICTURES = "pictures"
PICTURES_EVERY = 5000
SHOWN_FRAMES = 8
PROBED_FRAMES = 16


class FrameSource(Protocol):
    """Frames of a fixed order that can be read in any order, each uint8[H, W, 3].

    Attributes:
        counts: frames of each clip, clip after clip; only `per_clip` asks for it.
    """

    @property
    def counts(self) -> Sequence[int]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...


@dataclass(frozen=True)
class TrainSettings:
    """All that the result of a training depends on, besides the frames.

    Attributes:
        architecture: sizes of the model.
        image_size: sides of the square frames, pixels; a multiple of 4.
        steps: optimiser steps.
        batch: frames per step.
        learning_rate: Adam's, constant.
        betas: Adam's.
        seed: of the initial weights, the order of frames and the revived codes.
        commitment: weight of the commitment loss.
        decay: of the codes' running means, per step.
        epsilon: smoothing of the codes' running sizes.
        checkpoint_every: steps between checkpoints.
        threads: CPU threads of each process; sums are grouped by them, so they are part of the
            result.
        devices: processes that share every batch, each on a GPU of its own, or on the CPU.
        precision: `fp32`, or `bf16`: convolutions in bfloat16; codes and losses stay in float32.
        evaluate_every: steps whose mean reconstruction loss is compared with the best before.
        patience: stop after that many comparisons in a row without an improvement; 0 never stops.
        min_improvement: by what part of the best mean another one must be lower to count.
        per_clip: a round takes one frame of every clip, drawn anew each round, instead of all.
    """

    architecture: Architecture
    image_size: int
    steps: int
    batch: int = 32
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.9)
    seed: int = 29871897
    commitment: float = 1.0
    decay: float = 0.99
    epsilon: float = 1e-5
    checkpoint_every: int = 1000
    threads: int = 1
    devices: int = 1
    precision: str = "fp32"
    evaluate_every: int = 1000
    patience: int = 0
    min_improvement: float = 0.01
    per_clip: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every", "threads", "devices", "evaluate_every"):
            if getattr(self, name) < 1:
                raise UserError(f"training.{name}: {getattr(self, name)}; allowed: at least 1")
        check_sharing({f.name: getattr(self, f.name) for f in fields(self)})
        if self.image_size < STRIDE or self.image_size % STRIDE:
            raise UserError(f"image size {self.image_size}; allowed: multiples of {STRIDE}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any], *, image_size: int) -> TrainSettings:
        """Read a model card's `architecture:` and `training:` mappings.

        Raises:
            UserError: unknown or missing key, or a size out of range.
        """
        training = dict(card["training"])
        training.pop("pictures_every", None)
        allowed = [f.name for f in fields(cls) if f.name not in ("architecture", "image_size")]
        if unknown := sorted(set(training) - set(allowed)):
            raise UserError(f"training.{unknown[0]}: unknown key; allowed: {', '.join(allowed)}")
        if "steps" not in training:
            raise UserError("training.steps: missing; it must be the number of optimiser steps")
        if "betas" in training:
            training["betas"] = tuple(training["betas"])
        architecture = Architecture.from_mapping(card.get("architecture", {}))
        return cls(architecture=architecture, image_size=image_size, **training)


def train(
    frames: FrameSource,
    settings: TrainSettings,
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
    plan = loop.Plan(folder, settings.checkpoint_every, settings.steps, events, title="VQ-VAE")
    launch(
        partial(_train, frames=frames, settings=settings, plan=plan, pictures_every=pictures_every),
        device=device,
        devices=settings.devices,
        precision=settings.precision,
    )


def _train(
    fabric: Fabric,
    *,
    frames: FrameSource,
    settings: TrainSettings,
    plan: loop.Plan,
    pictures_every: int,
) -> None:
    set_deterministic(threads=settings.threads)
    pictures = (plan.folder / PICTURES, pictures_every)
    loop.run(Training(frames, settings, fabric=fabric, pictures=pictures), plan)


class TrainingPass(nn.Module):
    """One pass of a training: codes learn from a batch, and the losses are what gradients lower.

    Args:
        model: its codebook is changed by every pass.
        settings: of the training.
        share: which part of a batch this process has.
    """

    def __init__(self, model: VQVAE, settings: TrainSettings, share: Share) -> None:
        super().__init__()
        self.model, self.settings, self.share = model, settings, share

    def forward(self, pictures: Tensor, seed: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstruction and commitment loss of a part, and the codes' use by the whole batch.

        Args:
            pictures: float32[B, 3, H, W] in [-1, 1].
            seed: decides where unused codes move.

        Returns:
            float32[], float32[], int64[codebooks, codes].
        """
        settings, kind = self.settings, pictures.device.type
        encoded = self.model.encoder(pictures)
        with torch.autocast(kind, enabled=False):
            features = encoded.float()
            learned = learn(
                self.model.codebook,
                features,
                decay=settings.decay,
                epsilon=settings.epsilon,
                seed=seed,
                share=self.share,
            )
        made = self.model.generator(learned.straight_through)
        with torch.autocast(kind, enabled=False):
            reconstruction = F.mse_loss(made.float(), pictures)
            commitment = settings.commitment * F.mse_loss(features, learned.target)
        return reconstruction, commitment, learned.counts


class Training:
    """A training between two steps; see `loop.Training`.

    Args:
        frames: the training frames.
        settings: of the training.
        fabric: launched.
        pictures: folder for pictures, and the steps between them.
    """

    def __init__(
        self,
        frames: FrameSource,
        settings: TrainSettings,
        *,
        fabric: Fabric,
        pictures: tuple[Path, int] | None = None,
    ) -> None:
        self.frames, self.settings, self.fabric = frames, settings, fabric
        self.device = fabric.device
        self.share = share_of(fabric)
        self.step = 0
        self.metrics = Metrics(FIGURES, steps=settings.steps)
        self.plateau = Plateau(
            every=settings.evaluate_every,
            patience=settings.patience,
            min_improvement=settings.min_improvement,
        )
        self.model = channels_last(initial_model(settings).to(self.device))
        learned = [*self.model.encoder.parameters(), *self.model.generator.parameters()]
        optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=settings.betas)
        one_pass = TrainingPass(self.model, settings, self.share)
        self.one_pass, self.optimizer = fabric.setup(one_pass, optimizer)
        self.order = (
            clip_order(frames.counts, settings.batch, settings.seed)
            if settings.per_clip
            else batch_order(len(frames), settings.batch, settings.seed)
        )
        self.batches = Ahead(self._batch, steps=settings.steps, ahead=STEPS_AHEAD[self.device.type])
        self._pictures, self._pictures_every = pictures or (Path(), 0)

    @property
    def done(self) -> bool:
        """Whether all steps are done, or the loss has reached a plateau."""
        return self.step >= self.settings.steps or self.plateau.reached

    def advance(self) -> str | None:
        """Do one step; return its loss where it is one whose metrics are kept."""
        settings = self.settings
        pictures = to_signed(self.batches(self.step).to(self.device))
        reconstruction, commitment, counts = self.one_pass(pictures, (settings.seed, self.step))
        self.optimizer.zero_grad()
        self.fabric.backward(reconstruction + commitment)
        self.optimizer.step()
        self.step += 1
        losses = self.share.total(torch.stack([reconstruction.detach(), commitment.detach()]))
        losses /= self.share.of
        self.plateau.add(losses[0])
        self._show()
        if not (self.done or self.metrics.wants(self.step)):
            return None
        figures = [t.item() for t in (losses[0] + losses[1], *losses)]
        use = [codes_used(counts), perplexity(counts)]
        self.metrics.add(self.step, dict(zip(FIGURES, [*figures, *use], strict=True)))
        return f"loss={figures[0]:.4f}"

    def _show(self) -> None:
        every = self._pictures_every
        if every and self.step % every == 0 and self.share.rank == 0:
            picture = self._reconstructions()
            self.metrics.picture(self.step, "reconstructions", picture)
            _save_picture(picture, self._pictures / f"{self.step:08d}.png")

    def _batch(self, step: int) -> Tensor:
        """Return this process's part of a batch, uint8[B, H, W, 3] on the CPU."""
        return self._read(self.order(step)[self.share.part(self.settings.batch)])

    def _read(self, indices: Indices) -> Tensor:
        side = self.settings.image_size
        pictures = [self.frames[int(index)] for index in indices]
        for index, picture in zip(indices, pictures, strict=True):
            if picture.shape != (side, side, 3) or picture.dtype != np.uint8:
                raise UserError(
                    f"training frame {index} is {picture.dtype}{list(picture.shape)}, expected"
                    f" uint8[{side}, {side}, 3]"
                )
        return torch.from_numpy(np.stack(pictures))

    @cached_property
    def identity(self) -> str:
        """What a checkpoint must have been made from; a probe of the frames stands for all."""
        count = len(self.frames)
        sums = [
            hashlib.sha256(np.ascontiguousarray(self.frames[int(i)]).tobytes()).hexdigest()
            for i in np.linspace(0, count - 1, min(count, PROBED_FRAMES)).astype(int)
        ]
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
        _save_picture(self._reconstructions(), folder / "reconstructions.png")
        with replace_file(folder / "model.safetensors") as temporary:
            save_model(self.model, temporary)

    @torch.inference_mode()
    def _reconstructions(self) -> Frame:
        """Return uint8[2 H, shown * W, 3]: a row of frames above a row of reconstructions."""
        count = min(len(self.frames), SHOWN_FRAMES)
        shown = self._read(np.linspace(0, len(self.frames) - 1, count).astype(np.int64))
        made = self.model.decode(self.model.encode(shown.to(self.device))).cpu()
        rows = [torch.cat(list(pictures), dim=1) for pictures in (shown, made)]
        grid: Frame = torch.cat(rows).numpy()
        return grid


def _save_picture(pixels: Frame, path: Path) -> None:
    with replace_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def initial_model(settings: TrainSettings) -> VQVAE:
    """Return the model before the first step: Xavier-uniform convolutions without bias."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = VQVAE(settings.architecture)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return model
