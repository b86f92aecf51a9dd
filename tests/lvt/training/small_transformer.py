"""A small transformer training in processes of its own: FOLDER JSON, settings that differ."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from reelpack.config.transformer_training import TransformerSettings
from reelpack.jobs import cli
from reelpack.lvt.transformer.train_on_codes import train_transformer
from tests.lvt.transformer import tiny


def videos(count, *, frames, seed=0):
    """Return videos of random codes."""
    codes = tiny.codes(count, seed=seed, frames=frames)
    return tiny.Held(list(codes.transpose(1, 2).contiguous().numpy()))


# Slices of which some predict one frame and some two, so that parts of a batch differ.
SETTINGS = TransformerSettings(
    tiny.BOTH,
    steps=10,
    frames=4,
    batch=4,
    learning_rate=1e-3,
    checkpoint_every=3,
    evaluate_every=4,
)
VIDEOS, OTHERS = videos(6, frames=5), videos(5, frames=4, seed=1)


def main() -> None:
    folder, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    settings = replace(SETTINGS, **changes)
    events = folder / "events"
    train_transformer(VIDEOS, settings, folder, device="cpu", held_out=OTHERS, events=events)


if __name__ == "__main__":
    cli.run_job(main)
