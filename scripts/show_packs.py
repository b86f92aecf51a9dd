"""Say where packs are and what is in them, and draw a contact sheet beside each."""

import argparse
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.show import find_packs, sheet


def main() -> None:
    """Parse the arguments, print a line and write a picture per pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results folder, of one dataset or of all")
    parser.add_argument("--models", type=Path, default=Path("resources/models"), help="models")
    args = parser.parse_args()
    views = list(find_packs(args.results))
    if not views:
        raise UserError(f"{args.results}: no packs below this folder; build one first")
    for view in views:
        picture = view.folder.with_suffix(".png")
        sheet(view, args.models).save(picture)
        print(f"{view.line()}\n  contact sheet: {picture}")


if __name__ == "__main__":
    cli.run(main)
