"""Fetch one weights file and check its SHA-256 before it gets its name."""

import argparse
import json
from pathlib import Path

from reelpack.config.weights_registry import WeightsEntry
from reelpack.jobs import cli
from reelpack.sources.weights import fetch_weights


def main() -> None:
    """Parse the arguments and fetch the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entry", required=True, metavar="JSON", help="name, url, path, sha256")
    parser.add_argument("--output", required=True, type=Path, help="file to write")
    args = parser.parse_args()
    entry = json.loads(args.entry)
    path = Path(entry["path"]) if entry["path"] else None
    weights = WeightsEntry(
        entry["name"], entry["url"], entry.get("sha256", ""), licence="", note="", path=path
    )
    print(f"fetch_weights: {entry['name']} has sha256 {fetch_weights(weights, args.output)}")


if __name__ == "__main__":
    cli.run(main)
