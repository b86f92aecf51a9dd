"""Build what config.yaml names, or the targets given: datasets, files, or rules such as download.

All arguments are Snakemake's own, such as -n (dry run) or --profile slurm. Without others it runs with
--cores all --resources gpu=1 downloads=4. Two runs in one folder would fight, so the second says why it
stops; what a killed run left locked is unlocked.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from reelpack.jobs import cli

BASE = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 10


def acquire(folder: Path) -> int:
    """Return the descriptor of the held lock; exit with one line when another run holds it.

    The operating system's lock ends with the process, however that ends.
    """
    lock = folder / ".snakemake" / "reelpack.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.read(handle, 64).decode().strip() or "unknown"
                sys.exit(
                    f"error: another run is at work in {folder.resolve()} (process {holder});"
                    " wait for it or stop it"
                )
            time.sleep(0.2)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            return handle


def complete(arguments: list[str]) -> tuple[Path, list[str]]:
    """Return the run's folder, and the arguments with the usual ones that were not given in front."""
    parser = cli.command_parser(
        "build", __doc__, examples=["", "-n ucf101", "--cores 8 demo", "--profile slurm all"]
    )
    parser.usage = "./reelpack build [TARGET ...] [SNAKEMAKE OPTIONS]"
    parser.allow_abbrev = False
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="the run's folder")
    parser.add_argument("--snakefile", "-s", help="another workflow")
    parser.add_argument("--cores", "-c", help="how many CPU cores (default: all)")
    parser.add_argument("--jobs", "-j", help="how many jobs at once, on a cluster")
    parser.add_argument("--resources", "--res", nargs="+", help="default: gpu=1 downloads=4")
    parser.add_argument("--executor", "-e", help="what runs the jobs, such as slurm")
    parser.add_argument(
        "--profile", default=os.environ.get("SNAKEMAKE_PROFILE"), help="a folder of settings"
    )
    args, _ = parser.parse_known_args(arguments)
    own = BASE / "profiles" / (args.profile or "")
    if args.profile and own.is_dir() and not Path(args.profile).exists():
        spelled = {args.profile: str(own), f"--profile={args.profile}": f"--profile={own}"}
        arguments = [spelled.get(each, each) for each in arguments]
    usual: list[str] = []
    is_local = not (args.profile or args.executor)
    if is_local and not args.resources:
        usual += ["--resources", "gpu=1", "downloads=4"]
    if is_local and not (args.cores or args.jobs):
        usual += ["--cores", "all"]
    # At the end, since --resources takes all that follows it.
    usual += ["--snakefile", args.snakefile or str(BASE / "Snakefile")]
    return args.directory, [*usual, *arguments]


def main() -> None:
    """Take the lock, remove a stale Snakemake lock, and become Snakemake."""
    folder, arguments = complete(sys.argv[1:])
    handle = acquire(folder)
    snakemake = [sys.executable, "-m", "snakemake"]
    if any((folder / ".snakemake" / "locks").glob("*")):
        # Where that fails, as over a mistake in config.yaml, the run itself will say why.
        subprocess.run([*snakemake, *arguments, "--unlock"], check=False, capture_output=True)
    os.set_inheritable(handle, True)
    os.execv(sys.executable, [*snakemake, *arguments])


if __name__ == "__main__":
    cli.run(main)
