"""Fetch many files at once, a few from each host."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reelpack.core.errors import ClipError
from reelpack.sources.base import Fetched, Limits, find_host
from reelpack.sources.http import fetch_http
from reelpack.sources.session import Session


@dataclass(frozen=True)
class Download:
    """One file to fetch; see `fetch_http`."""

    urls: tuple[str, ...]
    destination: Path
    sha256: str | None = None
    size: int | None = None


_Running = dict[Future[Fetched | ClipError], tuple[str, Download]]


def fetch_many(
    downloads: Sequence[Download], limits: Limits | None = None
) -> Iterator[tuple[Download, Fetched | ClipError]]:
    """Fetch files and yield each with its result as it ends, in no certain order.

    Any error but `ClipError` (a full disk ...) stops all and is raised.

    Args:
        downloads: the files.
        limits: `workers` files are under way at a time, `per_host` requests at one host.
    """
    limits = limits or Limits()
    queues: dict[str, deque[Download]] = defaultdict(deque)
    for download in downloads:
        queues[find_host(download.urls[0]) if download.urls else ""].append(download)
    running: _Running = {}
    session = Session(limits)
    with closing(session), ThreadPoolExecutor(limits.workers) as pool:
        try:
            while queues or running:
                for host, download in _take_startable(queues, running, limits):
                    running[pool.submit(_fetch, download, session)] = (host, download)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future)[1], future.result()
        finally:
            session.stopped.set()


def _take_startable(
    queues: dict[str, deque[Download]], running: _Running, limits: Limits
) -> list[tuple[str, Download]]:
    """Take downloads off the queues of hosts that have a free slot, in turn."""
    busy: dict[str, int] = defaultdict(int)
    for host, _ in running.values():
        busy[host] += 1
    taken: list[tuple[str, Download]] = []
    free = limits.workers - len(running)
    while ready := [host for host in queues if busy[host] < limits.per_host]:
        for host in ready[: free - len(taken)]:
            taken.append((host, queues[host].popleft()))
            busy[host] += 1
            if not queues[host]:
                del queues[host]
        if len(taken) >= free:
            break
    return taken


def _fetch(download: Download, session: Session) -> Fetched | ClipError:
    try:
        return fetch_http(
            download.urls,
            download.destination,
            sha256=download.sha256,
            size=download.size,
            limits=session.limits,
            session=session,
        )
    except ClipError as error:
        return error
