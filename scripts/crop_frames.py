"""Crop the frames of one shard; a frame smaller than the crop makes its clip a ledger row."""

import json
from pathlib import Path

from reelpack.config.recipes import product_of
from reelpack.frames.extract import CROP, CropSettings, run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and crop the frames."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--clips", required=True, type=Path, help="clip table of trim_shard")
    parser.add_argument("--frames", required=True, type=Path, help="frame shard of extract_frames")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of extract_frames")
    args = parser.parse_args()
    run_frames(
        CROP,
        args.clips,
        earlier=args.earlier,
        settings=CropSettings(args.frames, product_of(json.loads(args.params))),
        result=args.params,
        retries=args.retries,
        journal=args.journal,
        output=args.output,
        ledger=args.ledger,
        workers=args.threads,
    )


if __name__ == "__main__":
    cli.run_job(main)
