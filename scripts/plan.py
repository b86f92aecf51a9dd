"""Say what is still to be done for each dataset, and what it may take, judged by earlier shards.

Runs nothing. Times are those of jobs one after another, judged by the last run of other jobs of the
same kind; disk is what new declared outputs take (packs and downloads come on top).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from reelpack.jobs import cli
from reelpack.report.ask_snakemake import ask_snakemake
from reelpack.report.plan_costs import describe_total, lay_out_plan, plan_costs, read_jobs
from reelpack.report.times import read_timings
from reelpack.report.words import format_bytes

BASE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Parse the arguments and print a table per dataset."""
    parser = cli.command_parser("plan", __doc__, examples=["", "ucf101"])
    parser.add_argument("targets", nargs="*", default=[], help="datasets or files (default: all)")
    parser.add_argument("--configfile", type=Path, help="laid over config.yaml")
    args = cli.parse_in_folder(parser)
    folder = Path.cwd()
    arguments = ["--summary", "--", *args.targets]
    summary = ask_snakemake(arguments, base=BASE, folder=folder, configfile=args.configfile)
    jobs = read_jobs(summary.splitlines())
    plans = plan_costs(jobs, read_timings(folder / "benchmarks"), folder=folder, base=BASE)
    for plan in plans:
        print("\n".join(lay_out_plan(plan)))
    if len(plans) > 1:
        print(f"all: {describe_total(plans)}")
    print(f"free disk: {format_bytes(shutil.disk_usage(folder).free)}")


if __name__ == "__main__":
    cli.run(main)
