"""A VQ-VAE before its first step, and what one step computes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelpack.encoders.vqvae import VQVAE
from reelpack.lvt.training.share import Share
from reelpack.lvt.vqvae.codebook_learning import learn
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings


def make_initial_model(settings: VqvaeTrainSettings) -> VQVAE:
    """Return the model before the first step: Xavier-uniform convolutions without bias."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = VQVAE(settings.architecture)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return model


class VqvaePass(nn.Module):
    """One pass of a training: codes learn from a batch, and the losses are what gradients lower.

    Args:
        model: its codebook is changed by every pass.
        settings: of the training.
        share: which part of a batch this process has.
    """

    def __init__(self, model: VQVAE, settings: VqvaeTrainSettings, share: Share) -> None:
        super().__init__()
        self.model, self.settings, self.share = model, settings, share

    def forward(self, frames: Tensor, seed: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstruction and commitment loss of a part, and the codes' use by the whole batch.

        Args:
            frames: float32[B, 3, H, W] in [-1, 1].
            seed: decides where unused codes move.

        Returns:
            float32[], float32[], int64[codebooks, codes].
        """
        settings, kind = self.settings, frames.device.type
        encoded = self.model.encoder(frames)
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
            reconstruction = F.mse_loss(made.float(), frames)
            commitment = settings.commitment * F.mse_loss(features, learned.target)
        return reconstruction, commitment, learned.counts
