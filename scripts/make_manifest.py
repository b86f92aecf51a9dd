"""Write a split's manifest and its shard tables from a folder, a list, or published annotations."""

import argparse
import json
from pathlib import Path

from reelpack.jobs import cli
from reelpack.lists.manifest import make_manifest
from reelpack.lists.published import make_annotated_manifest


def main() -> None:
    """Parse the arguments and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.parquet to write")
    parser.add_argument("--shards", required=True, type=Path, help="folder for the shard tables")
    parser.add_argument("--annotations", type=Path, help="folder of the annotation files, if any")
    parser.add_argument(
        "--fetched", type=Path, help="folder for videos that addresses are listed of"
    )
    args = parser.parse_args()
    params = json.loads(args.params)
    tables = [args.shards / f"{number:05d}.parquet" for number in range(params["shards"])]
    if args.annotations:
        clips = make_annotated_manifest(
            params, folder=args.annotations, manifest=args.manifest, tables=tables
        )
    else:
        clips = make_manifest(
            Path(params["videos"]),
            split=params["split"],
            by_split=params["by_split"],
            manifest=args.manifest,
            tables=tables,
            fetched=args.fetched,
        )
    print(f"make_manifest: {clips} clips in {params['shards']} shards")


if __name__ == "__main__":
    cli.run(main)
