"""Run one function over many clips in worker processes; a clip that kills its worker only fails itself."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from reelpack.core.errors import ClipError

Task = TypeVar("Task")


def run_clips(
    work: Callable[[Task], None],
    tasks: Sequence[Task],
    *,
    workers: int,
    preload: Sequence[str],
) -> Iterator[tuple[Task, ClipError | None]]:
    """Run `work(task)` for every task and yield each task with its error as it ends.

    Args:
        work: importable function that raises `ClipError` when the clip cannot be used; any other
            exception stops the job.
        tasks: picklable.
        workers: processes that run at the same time.
        preload: modules that workers import once, before they are forked.
    """
    suspects: list[Task] = []
    todo = deque(tasks)
    while todo:
        yield from _until_crash(work, todo, suspects, workers=workers, preload=preload)
    for task in suspects:
        alone: list[Task] = []
        yield from _until_crash(work, deque([task]), alone, workers=1, preload=preload)
        if alone:
            yield task, ClipError("decode", "the worker process died on this clip")


def _until_crash(
    work: Callable[[Task], None],
    todo: deque[Task],
    suspects: list[Task],
    *,
    workers: int,
    preload: Sequence[str],
) -> Iterator[tuple[Task, ClipError | None]]:
    """Work through `todo`; when a worker dies, the tasks then in flight become suspects."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    running: dict[Future[None], Task] = {}
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        try:
            while todo or running:
                while todo and len(running) < workers + 1:
                    # Taken off the list only when the pool took it: a pool that broke refuses.
                    future = pool.submit(work, todo[0])
                    running[future] = todo.popleft()
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    error = _clip_error(future)
                    yield running.pop(future), error
        except BrokenProcessPool:
            suspects.extend(running.values())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def worker_pool(workers: int, *, preload: Sequence[str]) -> Iterator[Executor | None]:
    """Give worker processes for pieces of one job's work; None where there would be only one.

    Args:
        workers: processes that run at the same time.
        preload: modules that workers import once, before they are forked.
    """
    if workers < 2:
        yield None
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def end_with_parent() -> None:
    """Have this worker end when the job's process is gone; by itself it would wait for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _clip_error(future: Future[None]) -> ClipError | None:
    try:
        future.result()
    except ClipError as error:
        return error
    return None


def counted(
    results: Iterable[tuple[Task, ClipError | None]], total: int
) -> Iterator[tuple[Task, ClipError | None]]:
    """Pass results on and print progress, about twenty lines per job."""
    step = max(total // 20, 1)
    for number, result in enumerate(results, 1):
        if number % step == 0 or number == total:
            print(f"{number}/{total} clips", flush=True)
        yield result
