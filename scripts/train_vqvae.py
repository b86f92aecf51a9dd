"""Train a VQ-VAE on staged frames; a killed run goes on from its last checkpoint."""

import argparse
import json
import shutil
from pathlib import Path

from reelpack import cli
from reelpack.device import choose_device
from reelpack.encoders.train_vqvae import CHECKPOINT, TrainSettings, train
from reelpack.files import clear_leftovers, link_or_copy, sha256_file
from reelpack.frames import FrameSource
from reelpack.results import digest

OUTPUTS = {"model": "model.safetensors", "metrics": "metrics.csv", "picture": "reconstructions.png"}


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", required=True, type=Path, help="folder of staged shards")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--journal", required=True, type=Path, help="folder for checkpoints")
    parser.add_argument("--model", required=True, type=Path, help="safetensors file to write")
    parser.add_argument("--metrics", required=True, type=Path, help="csv to write")
    parser.add_argument("--picture", required=True, type=Path, help="png to write")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    params = json.loads(args.params)
    card = params["model"]
    side = card["crop"]["size"] if card["crop"] else card["frames"]["square"]
    # Checkpoints belong to these frames and this card alone: the ledgers hold every clip's checksum.
    ledgers = [sha256_file(args.frames / f"{name}.ledger.parquet") for name in params["shards"]]
    folder = args.journal / digest(args.params, ledgers)
    settings = TrainSettings.from_card(card, image_size=side)
    shards = [args.frames / f"{name}.tar" for name in params["shards"]]
    clear_leftovers(folder / CHECKPOINT, *(folder / name for name in OUTPUTS.values()))
    train(FrameSource(shards), settings, folder, device=choose_device(args.gpus))
    for argument, name in OUTPUTS.items():
        link_or_copy(folder / name, getattr(args, argument))
    for other in args.journal.iterdir():
        if other != folder:
            shutil.rmtree(other)


if __name__ == "__main__":
    cli.run_job(main)
