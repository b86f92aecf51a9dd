"""Say what is still to be done for each dataset, and what it may take, judged by earlier shards.

Runs nothing. Times are those of jobs one after another, judged by the last run of other jobs of the
same kind; disk is what new declared outputs take (packs and downloads come on top).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.jobs import cli
from reelpack.report.plan_costs import file_size, plan_costs, read_jobs, table, total_line
from reelpack.report.times import read_timings

BASE = Path(__file__).resolve().parents[1]


def summary(folder: Path, *, targets: list[str], configfile: Path | None) -> list[str]:
    """Return the lines of Snakemake's summary.

    Raises:
        UserError: Snakemake refused; its own words come with it.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(BASE / "Snakefile")]
    command += ["--directory", str(folder), "--summary"]
    command += ["--configfile", str(configfile)] if configfile else []
    # From the project folder, where its profile lies.
    done = subprocess.run(
        [*command, "--", *targets], capture_output=True, text=True, check=False, cwd=BASE
    )
    if done.returncode:
        raise UserError(f"snakemake cannot plan this:\n{done.stderr.strip()}")
    return done.stdout.splitlines()


def main() -> None:
    """Parse the arguments and print a table per dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=[], help="datasets or files (default: all)")
    parser.add_argument("--directory", type=Path, default=Path(), help="the run's folder")
    parser.add_argument("--configfile", type=Path, help="laid over config.yaml")
    args = parser.parse_args()
    folder = args.directory.resolve()
    configfile = args.configfile.resolve() if args.configfile else None
    jobs = read_jobs(summary(folder, targets=args.targets, configfile=configfile))
    plans = plan_costs(jobs, read_timings(folder / "benchmarks"), folder=folder, base=BASE)
    for plan in plans:
        print("\n".join(table(plan)))
    if len(plans) > 1:
        print(f"all: {total_line(plans)}")
    print(f"free disk: {file_size(shutil.disk_usage(folder).free)}")


if __name__ == "__main__":
    cli.run(main)
