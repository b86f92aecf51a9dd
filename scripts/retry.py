"""Have failed clips tried again by the next run: transient failures, or all of them."""

from pathlib import Path

from reelpack.jobs import cli
from reelpack.jobs.retries import retry


def main() -> None:
    """Parse the arguments, mark the shards and say what the next run will redo."""
    parser = cli.command_parser("retry", __doc__, examples=["transient", "all ucf101"])
    parser.add_argument("kind", choices=["transient", "all"], help="which failures")
    parser.add_argument("dataset", nargs="?", help="only this dataset's (default: all)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder")
    args = cli.parse_in_folder(parser)
    for split, failed in retry(args.results, args.kind, args.dataset).items():
        print(f"{split}: {failed.total()} clips in {len(failed)} shards will be tried again")


if __name__ == "__main__":
    cli.run(main)
