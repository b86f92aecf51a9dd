"""Turn the videos of one shard into clips: windows that decoders keep to, no file is cut."""

import argparse
from pathlib import Path

from reelpack import cli
from reelpack.trim import trim_shard


def main() -> None:
    """Parse the arguments and write the clip table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--shard", required=True, type=Path, help="shard table of the manifest")
    parser.add_argument("--probes", required=True, type=Path, help="output of download_shard")
    parser.add_argument("--earlier", required=True, type=Path, help="ledger of download_shard")
    parser.add_argument("--output", required=True, type=Path, help="clip table to write")
    parser.add_argument("--ledger", required=True, type=Path, help="ledger to write")
    args = parser.parse_args()
    rows = trim_shard(
        args.shard,
        probes=args.probes,
        earlier=args.earlier,
        result=args.params,
        output=args.output,
        ledger=args.ledger,
    )
    print(f"trim_shard: {sum(row.ok for row in rows)} of {len(rows)} clips ok")


if __name__ == "__main__":
    cli.run_job(main)
