"""Turn an original weights file into safetensors, once, without running code that it may hold."""

import argparse
from pathlib import Path

from reelpack.encoders.weights import KINDS, convert
from reelpack.jobs import cli


def main() -> None:
    """Parse the arguments and convert the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", required=True, choices=KINDS, help="what the file holds")
    parser.add_argument("--original", required=True, type=Path, help="file of fetch_weights")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")
    args = parser.parse_args()
    convert(args.original, args.output, kind=args.kind)


if __name__ == "__main__":
    cli.run(main)
