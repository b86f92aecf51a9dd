"""Fetch one part of a dataset's archives and unpack the members that are clips."""

import argparse
import json
from pathlib import Path

from reelpack.jobs import cli
from reelpack.sources.archives import FAILED, MEMBERS, fetch_archives
from reelpack.sources.options import read_limits


def main() -> None:
    """Parse the arguments, fetch and unpack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--part", required=True, type=int, help="number of this part, from 0")
    parser.add_argument("--options", default="{}", metavar="JSON", help="config's downloads")
    parser.add_argument(
        "--tables", required=True, type=Path, nargs="+", help="shard tables of the splits served"
    )
    parser.add_argument("--folder", required=True, type=Path, help="where archives and members go")
    parser.add_argument("--index", required=True, type=Path, help="JSON index to write")
    args = parser.parse_args()
    found = fetch_archives(
        json.loads(args.params),
        part=args.part,
        tables=args.tables,
        folder=args.folder,
        index=args.index,
        limits=read_limits(json.loads(args.options)),
    )
    print(f"fetch_archives: {len(found[MEMBERS])} files, {len(found[FAILED])} archives failed")


if __name__ == "__main__":
    cli.run_job(main)
