"""What benches share: their command line and their clocks."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable


def bench_parser(document: str | None) -> argparse.ArgumentParser:
    """Return a parser that says what a bench's docstring says, with `--tiny`."""
    parser = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tiny", action="store_true", help="the least input: shows that it runs, measures nothing"
    )
    return parser


def wall_seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call in this process and in those that it starts and waits for."""
    start = _cpu_clock()
    call()
    return _cpu_clock() - start


def _cpu_clock() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_mib() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
