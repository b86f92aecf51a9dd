"""Run Snakemake alone in this folder: two at once would fight, and a killed run leaves a stale lock.

Takes Snakemake's own arguments. Holds an operating system lock, which ends with the process however it
ends; under it a Snakemake lock can only be stale, so it is removed.
"""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

LOCK = Path(".snakemake") / "reelpack.lock"
WAIT_SECONDS = 10


def acquire() -> int:
    """Return the descriptor of the held lock; exit with one line when another run holds it."""
    LOCK.parent.mkdir(exist_ok=True)
    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.read(handle, 64).decode().strip() or "unknown"
                sys.exit(
                    f"error: another run is at work in {Path.cwd()} (process {holder});"
                    " wait for it or stop it"
                )
            time.sleep(0.2)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            return handle


def main() -> None:
    """Take the lock, remove a stale Snakemake lock, and become Snakemake."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    handle = acquire()
    snakemake = [sys.executable, "-m", "snakemake"]
    if any(Path(".snakemake/locks").glob("*")):
        # Where that fails, as over a mistake in config.yaml, the run itself will say why.
        subprocess.run([*snakemake, "--unlock"], check=False, capture_output=True)
    os.set_inheritable(handle, True)
    os.execv(sys.executable, [*snakemake, *sys.argv[1:]])


if __name__ == "__main__":
    main()
