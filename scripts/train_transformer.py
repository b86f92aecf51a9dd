"""Train a video transformer on codes; a killed run goes on from its last checkpoint."""

import json
from collections.abc import Sequence
from pathlib import Path

from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.files import sha256_file
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device
from reelpack.lvt.training.running import TrainingJournal
from reelpack.lvt.transformer.code_videos import open_videos
from reelpack.lvt.transformer.train_on_codes import train_transformer

CODES = "one lvt_codes pack, or codes shards"


def main() -> None:
    """Parse the arguments and train."""
    parser = cli.command_parser(
        "train-transformer",
        __doc__,
        examples=[
            "--codes PACK --params JSON --journal journal --model model.safetensors --metrics metrics.csv"
        ],
    )
    parser.add_argument("--codes", required=True, type=Path, nargs="+", help=CODES)
    parser.add_argument("--held-out", type=Path, nargs="*", help=f"{CODES}, to measure on")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--journal", required=True, type=Path, help="folder for checkpoints")
    parser.add_argument("--model", required=True, type=Path, help="safetensors file to write")
    parser.add_argument("--metrics", required=True, type=Path, help="csv to write")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    parser.add_argument("--tensorboard", type=Path, help="folder for TensorBoard's events")
    args = parser.parse_args()
    held_out = args.held_out or []
    outputs = {"model.safetensors": args.model, "metrics.csv": args.metrics}
    sums = _sum_places(args.codes), _sum_places(held_out)
    journal = TrainingJournal(args.journal, args.params, *sums, outputs=outputs)
    train_transformer(
        open_videos(args.codes),
        TransformerSettings.from_card(json.loads(args.params)["model"]),
        journal.folder,
        device=choose_device(args.gpus),
        held_out=open_videos(held_out) if held_out else None,
        events=journal.choose_events(args.tensorboard),
    )
    journal.publish()


def _sum_places(places: Sequence[Path]) -> list[str]:
    """Return what stands for the content of shards, or of a pack, whose list has all checksums."""
    lists = (place / "checksums.sha256" if place.is_dir() else place for place in places)
    return [sha256_file(path) if path.is_file() else "" for path in lists]


if __name__ == "__main__":
    cli.run_job(main)
