"""Write a report on a run, finished or not: one HTML page that needs nothing else."""

import argparse
import json
from pathlib import Path

from reelpack.core.files import write_bytes
from reelpack.jobs import cli
from reelpack.report import render_report


def main() -> None:
    """Parse the arguments and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder")
    parser.add_argument("--models", type=Path, default=Path("resources/models"), help="models")
    parser.add_argument(
        "--transformers",
        type=Path,
        default=Path("resources/transformers"),
        help="video transformers",
    )
    parser.add_argument("--benchmarks", type=Path, default=Path("benchmarks"), help="times of jobs")
    parser.add_argument(
        "--asked", default="{}", metavar="JSON", help="what config.yaml asks for, from the workflow"
    )
    parser.add_argument("--output", type=Path, default=Path("results/report.html"), help="page")
    args = parser.parse_args()
    page = render_report(
        args.results,
        models=args.models,
        transformers=args.transformers,
        benchmarks=args.benchmarks,
        base=Path(__file__).resolve().parents[1],
        asked=json.loads(args.asked),
    )
    write_bytes(args.output, page.encode())
    print(f"report: {args.output}")


if __name__ == "__main__":
    cli.run(main)
