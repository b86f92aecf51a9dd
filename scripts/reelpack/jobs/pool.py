"""Run one function over many clips in worker processes; a clip that kills its worker only fails itself."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Generic, TypeVar

from reelpack.core.errors import ClipError, FailureClass, blame_clip

Item = TypeVar("Item")
# Environment variable: most bytes of memory of one worker; without it they are not limited.
WORKER_BYTES = "REELPACK_WORKER_BYTES"
# So many clips of one file are handed to a worker at a time, which opens and indexes it once.
_TOGETHER = 8
# How libraries die over what they read; other ends are the machine's doing, such as SIGKILL.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})


@dataclass(frozen=True)
class Blaming(Generic[Item]):
    """A clip's work whose errors are the clip's where they can be; see `errors.blame_clip`.

    Attributes:
        work: raises `ClipError` when the clip cannot be used.
        failure: the class of what a damaged file causes otherwise.
    """

    work: Callable[[Item], None]
    failure: FailureClass

    def __call__(self, task: Item) -> None:
        """Do the work.

        Raises:
            ClipError: the clip cannot be used. All else stops a job.
        """
        try:
            self.work(task)
        except ClipError:
            raise
        except Exception as error:
            blamed = blame_clip(error, self.failure)
            if blamed is None:
                raise
            traceback.print_exc()
            raise blamed from error


def run_clips(
    work: Callable[[Item], None],
    tasks: Sequence[Item],
    *,
    workers: int,
    preload: Sequence[str],
    failure: FailureClass = "decode",
    file_of: Callable[[Item], Hashable] | None = None,
) -> Iterator[tuple[Item, ClipError | None]]:
    """Run `work(task)` for every task and yield each task with its error as it ends.

    Args:
        work: importable function that raises `ClipError` when the clip cannot be used.
        tasks: picklable.
        workers: processes that run at the same time.
        preload: modules that workers import once, before they are forked.
        failure: see `Blaming`; what is not the clip's fault stops the job.
        file_of: tells which tasks are of one file; those come one after another, in one worker as far
            as that leaves no other idle. None stands for no file.
    """
    blaming = Blaming(work, failure)
    context = _prepare(preload)
    suspects: list[Item] = []
    # Small enough that each worker has several.
    together = max(1, min(_TOGETHER, len(tasks) // (4 * workers)))
    todo = deque(_group(tasks, file_of, together))
    while todo:
        yield from _until_crash(blaming, todo, suspects, workers=workers, context=context)
    for task in suspects:
        yield task, _run_alone(blaming, task, context)


def _prepare(preload: Sequence[str]) -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _group(
    tasks: Sequence[Item], file_of: Callable[[Item], Hashable] | None, together: int
) -> Iterator[list[Item]]:
    """Bring tasks of one file together, in batches; files come in the order of their first tasks."""
    groups: dict[Hashable, list[Item]] = {}
    for number, task in enumerate(tasks):
        file = None if file_of is None else file_of(task)
        groups.setdefault((number,) if file is None else file, []).append(task)
    for group in groups.values():
        for start in range(0, len(group), together):
            yield group[start : start + together]


def _work_through(work: Callable[[Item], None], tasks: Sequence[Item]) -> list[ClipError | None]:
    """Do tasks one after another in a worker; return what became of each."""
    ends: list[ClipError | None] = []
    for task in tasks:
        try:
            work(task)
            ends.append(None)
        except ClipError as error:
            ends.append(error)
    return ends


def _until_crash(
    work: Callable[[Item], None],
    todo: deque[list[Item]],
    suspects: list[Item],
    *,
    workers: int,
    context: ForkServerContext,
) -> Iterator[tuple[Item, ClipError | None]]:
    """Work through `todo`; when a worker dies, the tasks then in flight become suspects."""
    running: dict[Future[list[ClipError | None]], list[Item]] = {}
    with _open_pool(workers, context) as pool:
        try:
            while todo or running:
                while todo and len(running) < workers + 1:
                    # Taken off the list only when the pool took it: a pool that broke refuses.
                    future = pool.submit(_work_through, work, todo[0])
                    running[future] = todo.popleft()
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    ends = future.result()
                    yield from zip(running.pop(future), ends, strict=True)
        except BrokenProcessPool:
            suspects.extend(task for tasks in running.values() for task in tasks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_alone(work: Blaming[Item], task: Item, context: ForkServerContext) -> ClipError | None:
    """Do a task in a process of its own, whose end tells why it died."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, work, task, _read_limit()))
    process.start()
    sender.close()
    try:
        error: Exception | None = receiver.recv()
    except EOFError:
        process.join()
        return _explain_death(process.exitcode or 0, work.failure)
    finally:
        process.kill()
        process.join()
    if error is not None and not isinstance(error, ClipError):
        raise error
    return error


def _report(
    sender: Connection, work: Callable[[Item], None], task: Item, limit_bytes: int | None
) -> None:
    begin_worker(limit_bytes)
    try:
        work(task)
    except Exception as error:
        sender.send(error)
    else:
        sender.send(None)


def _explain_death(code: int, failure: FailureClass) -> ClipError:
    """Return the failure of a clip on which a process died, by its exit code."""
    if code >= 0:
        return ClipError("machine", f"the worker process died on this clip (exit status {code})")
    name = signal.Signals(-code).name
    died = f"the worker process died on this clip ({name})"
    if -code in _CRASHES:
        return ClipError(failure, died)
    return ClipError("machine", f"{died}; was there too little memory?")


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
    context = _prepare(preload)
    with _open_pool(workers, context) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _open_pool(workers: int, context: ForkServerContext) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=begin_worker, initargs=(_read_limit(),)
    )


def _read_limit() -> int | None:
    text = os.environ.get(WORKER_BYTES)
    return int(text) if text else None


def begin_worker(limit_bytes: int | None) -> None:
    """Bound this worker's memory, so that a clip which needs more fails alone; end with its parent."""
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    end_with_parent()


def end_with_parent() -> None:
    """Have this worker end when the job's process is gone; by itself it would wait forever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def print_progress(
    results: Iterable[tuple[Item, ClipError | None]], total: int
) -> Iterator[tuple[Item, ClipError | None]]:
    """Pass results on and print progress, about twenty lines per job."""
    step = max(total // 20, 1)
    for number, result in enumerate(results, 1):
        if number % step == 0 or number == total:
            print(f"{number}/{total} clips", flush=True)
        yield result
