"""Decode the clips of one shard into a frame shard; a clip that fails becomes a ledger row."""

import json
from pathlib import Path

from reelpack.config.recipes import product_of
from reelpack.frames.extract import EXTRACT, run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and extract the frames."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--clips", required=True, type=Path, help="clip table of trim_shard")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of trim_shard")
    args = parser.parse_args()
    run_frames(
        EXTRACT,
        args.clips,
        earlier=args.earlier,
        settings=product_of(json.loads(args.params)),
        result=args.params,
        retries=args.retries,
        journal=args.journal,
        output=args.output,
        ledger=args.ledger,
        workers=args.threads,
    )


if __name__ == "__main__":
    cli.run_job(main)
