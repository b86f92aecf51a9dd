"""Decode the clips of one shard once for several recipes, and encode them into their journals."""

import argparse
import json
from pathlib import Path

from reelpack.config.recipes import product_of
from reelpack.core.files import write_bytes
from reelpack.core.results import canonical
from reelpack.encode.encode_group import Member, encode_group
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device
from reelpack.jobs.retries import Retries


def main() -> None:
    """Parse the arguments and encode the shard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", required=True, type=Path, help="clip table of trim_shard")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of trim_shard")
    parser.add_argument(
        "--weights", required=True, type=Path, nargs="+", help="safetensors file of each recipe"
    )
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--retries", type=Retries.parse, default=Retries(), metavar="JSON")
    parser.add_argument(
        "--journals", required=True, type=Path, nargs="+", help="journal folder of each recipe"
    )
    parser.add_argument("--output", required=True, type=Path, help="file that says it is done")
    parser.add_argument("--threads", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the job asked for")
    args = parser.parse_args()
    device = choose_device(args.gpus)
    results = json.loads(args.params)["members"]
    members = [
        Member(
            recipe,
            EncodeSettings(
                encoder=result["encoder"],
                weights=weights,
                products=tuple(product_of(pixels) for pixels in result["pixels"]),
                shards=(),
                device=device,
            ),
            canonical(result),
            journal,
        )
        for (recipe, result), weights, journal in zip(
            sorted(results.items()), args.weights, args.journals, strict=True
        )
    ]
    shared = encode_group(
        args.clips,
        earlier=args.earlier,
        members=members,
        retries=args.retries,
        workers=args.threads,
    )
    # Always the same bytes: an own job whose clips are finished is not to run again for it.
    write_bytes(args.output, b"done\n")
    print(f"encode_group: {shared} clips decoded for {len(members)} recipes")


if __name__ == "__main__":
    cli.run_job(main)
