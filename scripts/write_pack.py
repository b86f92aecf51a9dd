"""Write a split's pack from its shards and put it in place by rename; stop above max_failed."""

import argparse
import json
from pathlib import Path

from reelpack.jobs import cli
from reelpack.packs.write import write_pack


def main() -> None:
    """Parse the arguments and write the pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", required=True, type=Path, help="the split's manifest.parquet")
    parser.add_argument(
        "--shards",
        required=True,
        metavar="JSON",
        help="list of a folder of codes shards, or of one of frame shards for all or each of the crop sets",
    )
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--folder", required=True, type=Path, help="the pack's folder to write")
    parser.add_argument("--threads", type=int, default=1, help="processes that encode image files")
    args = parser.parse_args()
    counts = write_pack(
        args.manifest,
        [Path(folder) for folder in json.loads(args.shards)],
        params=json.loads(args.params),
        folder=args.folder,
        workers=args.threads,
    )
    print(f"write_pack: {counts['entries']} of {counts['clips']} clips, {counts['failed']} failed")


if __name__ == "__main__":
    cli.run_job(main)
