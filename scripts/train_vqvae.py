"""Train a VQ-VAE on staged frames; a killed run goes on from its last checkpoint."""

import argparse
import json
import shutil
from pathlib import Path

from reelpack.core.files import link_or_copy, sha256_file
from reelpack.frames.shard import ShardFrames
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device
from reelpack.lvt.training.running import TrainingJournal
from reelpack.lvt.vqvae.train_on_frames import PICTURES, PICTURES_EVERY, train_vqvae
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings


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
    parser.add_argument("--tensorboard", type=Path, help="folder for TensorBoard's events")
    parser.add_argument(
        "--pictures-every",
        type=int,
        default=PICTURES_EVERY,
        metavar="STEPS",
        help="steps between reconstruction pictures, 0 for none (default: %(default)s)",
    )
    args = parser.parse_args()
    params = json.loads(args.params)
    card = params["model"]
    side = card["crop"]["size"] if card["crop"] else card["frames"]["square"]
    # The ledgers hold every clip's checksum.
    ledgers = [sha256_file(args.frames / f"{name}.ledger.parquet") for name in params["shards"]]
    outputs = {
        "model.safetensors": args.model,
        "metrics.csv": args.metrics,
        "reconstructions.png": args.picture,
    }
    journal = TrainingJournal(args.journal, args.params, ledgers, outputs=outputs)
    train_vqvae(
        ShardFrames([args.frames / f"{name}.tar" for name in params["shards"]]),
        VqvaeTrainSettings.from_card(card, image_size=side),
        journal.folder,
        device=choose_device(args.gpus),
        pictures_every=args.pictures_every,
        events=journal.choose_events(args.tensorboard),
    )
    _show_pictures(journal.folder / PICTURES, args.model.parent / PICTURES)
    journal.publish()


def _show_pictures(made: Path, shown: Path) -> None:
    """Give the pictures of a training their place beside the model, and no others."""
    shutil.rmtree(shown, ignore_errors=True)
    for picture in sorted(made.glob("*.png")):
        link_or_copy(picture, shown / picture.name)


if __name__ == "__main__":
    cli.run_job(main)
