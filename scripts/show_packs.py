"""Say where packs are and what is in them, and draw a contact sheet beside each."""

from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.show import draw_sheet, find_packs


def main() -> None:
    """Parse the arguments, print a line and write a picture per pack."""
    parser = cli.command_parser("show", __doc__, examples=["", "results/ucf101"])
    parser.add_argument(
        "results",
        type=Path,
        nargs="?",
        default=Path("results"),
        help="results folder, of one dataset or of all (default: results)",
    )
    parser.add_argument("--models", type=Path, default=Path("resources/models"), help="models")
    args = cli.parse_in_folder(parser)
    views = list(find_packs(args.results))
    if not views:
        raise UserError(f"{args.results}: no packs below this folder; build one first")
    for view in views:
        picture = view.folder.with_suffix(".png")
        draw_sheet(view, args.models).save(picture)
        print(f"{view.line()}\n  contact sheet: {picture}")


if __name__ == "__main__":
    cli.run(main)
