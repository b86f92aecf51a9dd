"""Decode the clips of one shard into a pack's image files; a clip that fails becomes a ledger row."""

import json

from reelpack.frames.extract import run_frames
from reelpack.frames.images import IMAGES, ImageSettings
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and encode the images."""
    parser = cli.build_parser(__doc__, *cli.JOB, "--clips", "--earlier", "--ffmpeg")
    args = parser.parse_args()
    settings = ImageSettings.of(json.loads(args.params), ffmpeg=args.ffmpeg)
    run_frames(IMAGES, args.clips, settings, cli.read_job(args))


if __name__ == "__main__":
    cli.run_job(main)
