"""Train a VQ-VAE: equal frames and settings give equal bytes, however often it is killed.

Method of R. Rakhimov et al., "Latent Video Transformer", 2020, arXiv 2006.10704: Adam lowers
reconstruction plus commitment loss, and the codes follow the encoder as `codebook_learning` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from reelpack.errors import UserError
from reelpack.files import replace_file, write_bytes
from reelpack.results import canonical

from .base import Frame, check_device, set_deterministic
from .codebook_learning import learn
from .vqvae import STRIDE, VQVAE, Architecture, channels_last, save_model, to_signed

CHECKPOINT = "checkpoint.pt"
METRICS = ("step", "loss", "reconstruction", "commitment", "codes_used", "perplexity")
METRICS_ROWS = 500
SHOWN_FRAMES = 8
PROBED_FRAMES = 16


class FrameSource(Protocol):
    """Frames of a fixed order that can be read in any order, each uint8[H, W, 3]."""

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
        threads: CPU threads; sums are grouped by them, so they are part of the result.
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

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every", "threads"):
            if getattr(self, name) < 1:
                raise UserError(f"training.{name}: {getattr(self, name)}; allowed: at least 1")
        if self.image_size < STRIDE or self.image_size % STRIDE:
            raise UserError(f"image size {self.image_size}; allowed: multiples of {STRIDE}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any], *, image_size: int) -> TrainSettings:
        """Read a model card's `architecture:` and `training:` mappings.

        Raises:
            UserError: unknown or missing key, or a size out of range.
        """
        training = dict(card["training"])
        allowed = [f.name for f in fields(cls) if f.name not in ("architecture", "image_size")]
        if unknown := sorted(set(training) - set(allowed)):
            raise UserError(f"training.{unknown[0]}: unknown key; allowed: {', '.join(allowed)}")
        if "steps" not in training:
            raise UserError("training.steps: missing; it must be the number of optimiser steps")
        if "betas" in training:
            training["betas"] = tuple(training["betas"])
        architecture = Architecture.from_mapping(card.get("architecture", {}))
        return cls(architecture=architecture, image_size=image_size, **training)


def train(frames: FrameSource, settings: TrainSettings, folder: Path, *, device: str) -> None:
    """Train a VQ-VAE, or go on where a killed training of the same frames and settings stopped.

    Writes into `folder`: metrics.csv (about 500 rows), reconstructions.png (above frames, below
    what the model makes of them), model.safetensors, and checkpoint.pt, which stays: with it a
    repeated call writes the other three again at once.

    Args:
        frames: the training frames, uint8[image_size, image_size, 3].
        settings: everything else that the result depends on.
        folder: made if missing.
        device: `cpu`, `cuda` or `cuda:N`. CPU and GPU give different weights.

    Raises:
        UserError: no frames, frames of another size, or no such device.
    """
    check_device(device)
    if not len(frames):
        raise UserError("there is no frame to train on")
    set_deterministic(threads=settings.threads)
    folder.mkdir(parents=True, exist_ok=True)
    training = Training(frames, settings, device=device)
    training.resume(folder / CHECKPOINT)
    with tqdm(total=settings.steps, initial=training.step, unit="step", desc="VQ-VAE") as bar:
        while training.step < settings.steps:
            loss = training.advance()
            bar.update()
            if loss is not None:
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            if training.step % settings.checkpoint_every == 0 or training.step == settings.steps:
                training.save(folder / CHECKPOINT)
    training.publish(folder)


class Training:
    """A training between two steps.

    Attributes:
        step: optimiser steps done.
    """

    def __init__(self, frames: FrameSource, settings: TrainSettings, *, device: str) -> None:
        self.frames = frames
        self.settings = settings
        self.device = torch.device(device)
        self.step = 0
        self.rows: list[list[float]] = []
        self.model = channels_last(initial_model(settings).to(self.device))
        learned = [*self.model.encoder.parameters(), *self.model.generator.parameters()]
        self.optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, betas=settings.betas)
        self.order = batch_order(len(frames), settings.batch, settings.seed)

    def advance(self) -> float | None:
        """Do one step; return its loss where it is one whose metrics are kept."""
        settings, model = self.settings, self.model
        pictures = to_signed(self._batch(self.order(self.step)))
        features = model.encoder(pictures)
        learned = learn(
            model.codebook,
            features,
            decay=settings.decay,
            epsilon=settings.epsilon,
            seed=(settings.seed, self.step),
        )
        reconstruction = F.mse_loss(model.generator(learned.straight_through), pictures)
        commitment = settings.commitment * F.mse_loss(features, learned.target)
        loss = reconstruction + commitment
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        if self.step % max(1, settings.steps // METRICS_ROWS) and self.step != settings.steps:
            return None
        figures = [t.item() for t in (loss, reconstruction, commitment)]
        self.rows.append([self.step, *figures, learned.codes_used, learned.perplexity])
        return figures[0]

    def _batch(self, indices: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
        side = self.settings.image_size
        pictures = [self.frames[int(index)] for index in indices]
        for index, picture in zip(indices, pictures, strict=True):
            if picture.shape != (side, side, 3) or picture.dtype != np.uint8:
                raise UserError(
                    f"training frame {index} is {picture.dtype}{list(picture.shape)}, expected"
                    f" uint8[{side}, {side}, 3]"
                )
        return torch.from_numpy(np.stack(pictures)).to(self.device)

    def _identity(self) -> str:
        """What a checkpoint must have been made from; a probe of the frames stands for all."""
        count = len(self.frames)
        sums = [
            hashlib.sha256(np.ascontiguousarray(self.frames[int(i)]).tobytes()).hexdigest()
            for i in np.linspace(0, count - 1, min(count, PROBED_FRAMES)).astype(int)
        ]
        settings = asdict(self.settings)
        del settings["checkpoint_every"]
        return canonical(
            {"settings": settings, "frames": count, "probe": sums, "device": self.device.type}
        )

    def save(self, checkpoint: Path) -> None:
        """Write everything that going on needs."""
        state = {
            "identity": self._identity(),
            "step": self.step,
            "rows": self.rows,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with replace_file(checkpoint) as temporary:
            torch.save(state, temporary)

    def resume(self, checkpoint: Path) -> None:
        """Take up a checkpoint, unless it is of other frames or settings."""
        if not checkpoint.is_file():
            return
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        if state["identity"] != self._identity():
            tqdm.write(f"{checkpoint}: of other frames or settings, starting over")
            return
        self.step, self.rows = state["step"], state["rows"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def publish(self, folder: Path) -> None:
        """Write the files that others read, the model last."""
        lines = [",".join(METRICS), *(",".join(map(repr, row)) for row in self.rows)]
        write_bytes(folder / "metrics.csv", ("\n".join(lines) + "\n").encode())
        with replace_file(folder / "reconstructions.png") as temporary:
            Image.fromarray(self._reconstructions()).save(temporary, format="PNG")
        with replace_file(folder / "model.safetensors") as temporary:
            save_model(self.model, temporary)

    @torch.inference_mode()
    def _reconstructions(self) -> Frame:
        """Return uint8[2 H, shown * W, 3]: a row of frames above a row of reconstructions."""
        count = min(len(self.frames), SHOWN_FRAMES)
        shown = self._batch(np.linspace(0, len(self.frames) - 1, count).astype(np.int64))
        made = self.model.decode(self.model.encode(shown))
        rows = [torch.cat(list(pictures), dim=1) for pictures in (shown, made)]
        grid: Frame = torch.cat(rows).cpu().numpy()
        return grid


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


def batch_order(
    count: int, batch: int, seed: int
) -> Callable[[int], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the function from a step to the frames of its batch, int64[batch].

    The frames pass in shuffled rounds; a round's order depends on nothing but seed and round, so a
    resumed training needs no history.
    """

    @lru_cache(maxsize=2)
    def shuffled(round_number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.random.default_rng([seed, round_number]).permutation(count)

    def indices(step: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        positions = range(step * batch, (step + 1) * batch)
        return np.array([shuffled(p // count)[p % count] for p in positions], dtype=np.int64)

    return indices
