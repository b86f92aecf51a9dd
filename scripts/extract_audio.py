"""Take the sound of the clips of one shard; a clip without becomes a ledger row."""

import json
from pathlib import Path

from reelpack.frames.audio import EXTRACT_AUDIO, AudioSettings
from reelpack.frames.extract import run_frames
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and extract the sound."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--clips", required=True, type=Path, help="clip table of trim_shard")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of trim_shard")
    args = parser.parse_args()
    run_frames(
        EXTRACT_AUDIO,
        args.clips,
        earlier=args.earlier,
        settings=AudioSettings.of(json.loads(args.params)["audio"]),
        result=args.params,
        retries=args.retries,
        journal=args.journal,
        output=args.output,
        ledger=args.ledger,
        workers=args.threads,
    )


if __name__ == "__main__":
    cli.run_job(main)
