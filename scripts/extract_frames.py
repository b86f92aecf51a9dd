"""Decode the clips of one shard into a frame shard; a clip that fails becomes a ledger row."""

import json

from reelpack.config.recipes import product_of
from reelpack.frames.extract import EXTRACT, run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and extract the frames."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--clips", "--earlier", "--ffmpeg")
    args = parser.parse_args()
    product = product_of(json.loads(args.params), ffmpeg=args.ffmpeg)
    run_frames(EXTRACT, args.clips, product, cli.read_job(args))


if __name__ == "__main__":
    cli.run_job(main)
