"""Take the sound of the clips of one shard; a clip without becomes a ledger row."""

import json

from reelpack.frames.audio import EXTRACT_AUDIO, AudioSettings
from reelpack.frames.extract import run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and extract the sound."""
    args = cli.build_parser(__doc__, *cli.JOB, "--clips", "--earlier").parse_args()
    settings = AudioSettings.of(json.loads(args.params)["audio"])
    run_frames(EXTRACT_AUDIO, args.clips, settings, cli.read_job(args))


if __name__ == "__main__":
    cli.run_job(main)
