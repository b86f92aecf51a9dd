"""Crop the frames of one shard; a frame smaller than the crop makes its clip a ledger row."""

import json
from pathlib import Path

from reelpack.config.recipes import product_of
from reelpack.frames.extract import CROP, CropSettings, run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and crop the frames."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--clips", "--earlier")
    parser.add_argument("--frames", required=True, type=Path, help="frame shard of extract_frames")
    args = parser.parse_args()
    settings = CropSettings(args.frames, product_of(json.loads(args.params)))
    run_frames(CROP, args.clips, settings, cli.read_job(args))


if __name__ == "__main__":
    cli.run_job(main)
