"""Bring the published lists of a dataset, or say which of them a person has to bring."""

import argparse
import json
from pathlib import Path

from reelpack.jobs import cli
from reelpack.sources.annotations import fetch_annotations
from reelpack.sources.options import read_limits


def main() -> None:
    """Parse the arguments and bring the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--access", default="", help="what to tell a person who has to bring files")
    parser.add_argument("--options", default="{}", metavar="JSON", help="config's downloads")
    parser.add_argument("--folder", required=True, type=Path, help="where the files go")
    parser.add_argument("--listing", required=True, type=Path, help="JSON listing to write")
    args = parser.parse_args()
    names = fetch_annotations(
        json.loads(args.params)["files"],
        folder=args.folder,
        listing=args.listing,
        limits=read_limits(json.loads(args.options)),
        access=args.access,
    )
    print(f"fetch_annotations: {len(names)} files in {args.folder}")


if __name__ == "__main__":
    cli.run_job(main)
