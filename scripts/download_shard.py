"""Check, checksum and probe the videos of one shard; a video that cannot be opened becomes a ledger row."""

from pathlib import Path

from reelpack import cli
from reelpack.download import download_shard


def main() -> None:
    """Parse the arguments and probe the shard."""
    parser = cli.shard_parser(__doc__)
    parser.add_argument("--shard", required=True, type=Path, help="shard table of the manifest")
    args = parser.parse_args()
    download_shard(
        args.shard,
        result=args.params,
        retries=args.retries,
        journal=args.journal,
        output=args.output,
        ledger=args.ledger,
        workers=args.threads,
    )


if __name__ == "__main__":
    cli.run_job(main)
