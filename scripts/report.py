"""Write a report on a run, finished or not: one HTML page that needs nothing else.

Works beside a run that goes on. The workflow writes the page, if something has changed since the last
one. Where a place is given, the page is written at once, of what is there.
"""

import argparse
import json
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.core.files import write_bytes
from reelpack.jobs import cli
from reelpack.report.ask_snakemake import ask_snakemake
from reelpack.report.page import find_splits, render_report

BASE = Path(__file__).resolve().parents[1]
PLACES = {
    "results": (Path("results"), "results folder"),
    "models": (Path("resources/models"), "models"),
    "transformers": (Path("resources/transformers"), "video transformers"),
    "benchmarks": (Path("benchmarks"), "times of jobs"),
    "output": (Path("results/report.html"), "page to write"),
}


def write_page(args: argparse.Namespace) -> None:
    """Write the page of what is there."""
    page = render_report(
        args.results,
        models=args.models,
        transformers=args.transformers,
        benchmarks=args.benchmarks,
        base=BASE,
        asked=json.loads(args.asked or "{}"),
    )
    write_bytes(args.output, page.encode())


def ask_workflow(args: argparse.Namespace) -> None:
    """Have the workflow write the page, so that it knows of it.

    Raises:
        UserError: there are no results, or Snakemake refused.
    """
    if not find_splits(args.results):
        raise UserError(f"{args.results.absolute()}: nothing to report yet; build first")
    # A run that holds the folder's lock is not disturbed: the page is nobody's input.
    arguments = ["--nolock", "--cores", "1", "report"]
    ask_snakemake(arguments, base=BASE, folder=Path(), configfile=args.configfile)


def main() -> None:
    """Parse the arguments and write the page, or have it written."""
    parser = cli.command_parser("report", __doc__, examples=["", "--directory /data/run"])
    for name, (path, text) in PLACES.items():
        parser.add_argument(f"--{name}", type=Path, default=path, help=f"{text} (default: {path})")
    parser.add_argument("--configfile", type=Path, help="laid over config.yaml")
    parser.add_argument(
        "--asked", metavar="JSON", help="what config.yaml asks for, from the workflow"
    )
    args = cli.parse_in_folder(parser)
    is_usual = all(getattr(args, name) == path for name, (path, _) in PLACES.items())
    if args.asked is None and is_usual:
        ask_workflow(args)
    else:
        write_page(args)
    print(f"report: {args.output.absolute() if args.directory != Path() else args.output}")


if __name__ == "__main__":
    cli.run(main)
