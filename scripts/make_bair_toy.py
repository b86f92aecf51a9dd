"""Write a small tar of made-up robot pushes, in the format of BAIR's."""

from __future__ import annotations

import argparse
from pathlib import Path

from reelpack.demo.bair_toy import write_bair_toy


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tar", type=Path, help="the file to write")
    tar = parser.parse_args().tar
    print(f"{tar}: {write_bair_toy(tar)} sequences")


if __name__ == "__main__":
    main()
