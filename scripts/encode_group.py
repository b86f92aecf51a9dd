"""Decode the clips of one shard once for several recipes, and encode them into their journals."""

import json
from pathlib import Path

from reelpack.core.files import write_bytes
from reelpack.core.results import canonical
from reelpack.encode.group import GroupMember, encode_group
from reelpack.frames.clip_pixels import EncodeSettings
from reelpack.jobs import cli
from reelpack.jobs.device import choose_device
from reelpack.jobs.retries import Retries


def main() -> None:
    """Parse the arguments and encode the shard."""
    shared = ("--clips", "--earlier", "--params", "--retries", "--output", "--threads", "--gpus")
    parser = cli.build_parser(__doc__, *shared)
    for name, text in (("--weights", "safetensors file"), ("--journals", "journal folder")):
        parser.add_argument(name, required=True, type=Path, nargs="+", help=f"{text} per recipe")
    args = parser.parse_args()
    device = choose_device(args.gpus)
    results = sorted(json.loads(args.params)["members"].items())
    members = [
        GroupMember(
            recipe,
            EncodeSettings.of(result, weights=weights, device=device),
            canonical(result),
            journal,
        )
        for (recipe, result), weights, journal in zip(
            results, args.weights, args.journals, strict=True
        )
    ]
    decoded = encode_group(
        args.clips,
        earlier=args.earlier,
        members=members,
        retries=Retries.parse(args.retries),
        workers=args.threads,
    )
    # Always the same bytes: an own job whose clips are finished is not to run again for it.
    write_bytes(args.output, b"done\n")
    print(f"encode_group: {decoded} clips decoded for {len(members)} recipes")


if __name__ == "__main__":
    cli.run_job(main)
