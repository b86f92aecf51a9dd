"""How fast `fetch_many` is, as a ratio to the thread-pool way of downloading, from a loopback server.

The baseline is the download step of video2dataset 1.3 (`WebFileDownloader`): a pool of as many
threads, each `requests.get(url, stream=True).content` written to a file, without checks, locks,
fsync, resuming or limits per host. The package itself is not run: it pulls in a training stack. The
same with the standard library's urllib shows what a bare client can do. All run in turn in one
process, the server in another; the best of several rounds counts.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.download [--small 400] [--large 8] [--workers 16]
"""

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from reelpack.core.errors import ClipError
from reelpack.sources.base import Limits
from reelpack.sources.downloader import Download, fetch_many
from tests.support.measuring import bench_parser

SERVER = Path(__file__).parents[1] / "sources" / "server.py"


def reelpack(jobs: list[tuple[str, Path]], workers: int) -> None:
    """Fetch with the library."""
    limits = Limits(workers=workers, per_host=workers)
    for _, result in fetch_many([Download((url,), path) for url, path in jobs], limits):
        if isinstance(result, ClipError):
            raise result


def video2dataset(jobs: list[tuple[str, Path]], workers: int) -> None:
    """Fetch with requests and a pool, each file through memory."""

    def fetch(job: tuple[str, Path]) -> None:
        job[1].write_bytes(requests.get(job[0], stream=True, timeout=60).content)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fetch, jobs))


def standard_library(jobs: list[tuple[str, Path]], workers: int) -> None:
    """Fetch with urllib and a pool."""

    def fetch(job: tuple[str, Path]) -> None:
        with urllib.request.urlopen(job[0], timeout=60) as answer, job[1].open("wb") as file:
            shutil.copyfileobj(answer, file)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fetch, jobs))


WAYS = {"reelpack": reelpack, "video2dataset": video2dataset, "urllib": standard_library}


def measure(address: str, kind: str, count: int, workers: int, rounds: int) -> dict[str, float]:
    """Return the seconds of each way's best round."""
    best = dict.fromkeys(WAYS, float("inf"))
    for _ in range(rounds):
        for name, way in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                jobs = [
                    (f"{address}/{kind}/{n}.mp4", Path(folder) / f"{n}.mp4") for n in range(count)
                ]
                start = time.perf_counter()
                way(jobs, workers)
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def main() -> None:
    """Measure and print a table."""
    parser = bench_parser(__doc__)
    parser.add_argument("--small", type=int, default=400, help="files of 64 KiB")
    parser.add_argument("--large", type=int, default=8, help="files of 64 MiB")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-seconds", type=float, default=0.0, help="before each answer")
    args = parser.parse_args()
    if args.tiny:
        args.small, args.large, args.workers, args.rounds = 4, 1, 2, 1
    command = [sys.executable, str(SERVER), "--delay-seconds", str(args.delay_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        address = server.stdout.readline().strip()
        for kind, count in (("small", args.small), ("large", args.large)):
            seconds = measure(address, kind, count, args.workers, args.rounds)
            for name, value in seconds.items():
                ratio = seconds["video2dataset"] / value
                print(f"{kind:6} {name:14} {value:7.2f} s  throughput {ratio:5.2f} x video2dataset")
        server.stdin.close()


if __name__ == "__main__":
    main()
