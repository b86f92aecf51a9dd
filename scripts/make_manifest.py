"""Write a split's manifest and its shard tables from a folder or a list of videos."""

import argparse
import json
from pathlib import Path

from reelpack import cli
from reelpack.manifest import make_manifest


def main() -> None:
    """Parse the arguments and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.parquet to write")
    parser.add_argument("--shards", required=True, type=Path, help="folder for the shard tables")
    args = parser.parse_args()
    params = json.loads(args.params)
    clips = make_manifest(
        Path(params["videos"]),
        split=params["split"],
        by_split=params["by_split"],
        manifest=args.manifest,
        tables=[args.shards / f"{number:05d}.parquet" for number in range(params["shards"])],
    )
    print(f"make_manifest: {clips} clips in {params['shards']} shards")


if __name__ == "__main__":
    cli.run(main)
