"""Encode the clips of one shard into tokens; a clip that fails becomes a ledger row."""

import json
from pathlib import Path

from reelpack.encode.single import encode_shard
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device


def main() -> None:
    """Parse the arguments and encode the shard."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--clips", "--earlier", "--gpus", "--ffmpeg")
    parser.add_argument(
        "--pixels", type=Path, nargs="*", default=[], help="frame shards, one per crop set (staged)"
    )
    parser.add_argument("--weights", required=True, type=Path, help="safetensors file of the model")
    args = parser.parse_args()
    settings = EncodeSettings.of(
        json.loads(args.params),
        weights=args.weights,
        shards=args.pixels,
        device=choose_device(args.gpus),
        ffmpeg=args.ffmpeg,
    )
    encode_shard(args.clips, settings, cli.read_job(args))


if __name__ == "__main__":
    cli.run_job(main)
