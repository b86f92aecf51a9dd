"""Encode the clips of one shard into tokens; a clip that fails becomes a ledger row."""

import json
from pathlib import Path

from reelpack.config.recipes import product_of
from reelpack.encode.encode import encode_shard
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device


def main() -> None:
    """Parse the arguments and encode the shard."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--clips", required=True, type=Path, help="clip table of trim_shard")
    parser.add_argument(
        "--earlier", required=True, type=Path, nargs="+", help="ledgers of the stages before"
    )
    parser.add_argument(
        "--pixels", type=Path, nargs="*", default=[], help="frame shards, one per crop set (staged)"
    )
    parser.add_argument("--weights", required=True, type=Path, help="safetensors file of the model")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    params = json.loads(args.params)
    settings = EncodeSettings(
        encoder=params["encoder"],
        weights=args.weights,
        products=tuple(product_of(result) for result in params["pixels"]),
        shards=tuple(args.pixels),
        device=choose_device(args.gpus),
    )
    encode_shard(
        args.clips,
        earlier=args.earlier,
        settings=settings,
        result=args.params,
        retries=args.retries,
        journal=args.journal,
        output=args.output,
        ledger=args.ledger,
        workers=args.threads,
    )


if __name__ == "__main__":
    cli.run_job(main)
