"""Write docs/config.md and docs/recipes.md from the schemas and the shipped cards."""

import argparse
from pathlib import Path

from reelpack.config.schema_docs import make_pages
from reelpack.core.files import write_bytes
from reelpack.jobs import cli

BASE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the arguments and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=BASE / "docs", help="where to write")
    folder = parser.parse_args().folder
    for name, text in make_pages(BASE).items():
        write_bytes(folder / name, text.encode())
        print(folder / name)


if __name__ == "__main__":
    cli.run(main)
