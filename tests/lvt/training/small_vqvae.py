"""A small VQ-VAE training in processes of its own: FOLDER JSON, settings that differ."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from reelpack.encoders.vqvae import Architecture
from reelpack.jobs import cli
from reelpack.lvt.vqvae.train_on_frames import train_vqvae
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.support.dalle_weights import draw_frames

FRAMES = draw_frames(0, 14, 16, 16)
SETTINGS = VqvaeTrainSettings(
    Architecture(filters=16, residual_channels=8, layers=1, codebooks=2, codes=16),
    image_size=16,
    steps=12,
    batch=6,
    learning_rate=3e-3,
    seed=3,
    checkpoint_every=4,
)


def main() -> None:
    folder, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    side = changes.pop("side", 16)
    settings = replace(SETTINGS, **changes)
    events = folder / "events"
    train_vqvae(FRAMES[:, :side], settings, folder, device="cpu", pictures_every=5, events=events)


if __name__ == "__main__":
    cli.run_job(main)
