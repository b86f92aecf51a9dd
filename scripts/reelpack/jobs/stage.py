"""What all clip-by-clip stages share: journal, workers, ledger, and assembling in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reelpack.core.errors import ClipError, FailureClass
from reelpack.core.files import clear_leftovers, replace_file
from reelpack.jobs.job import Job
from reelpack.jobs.journal import LEDGER, Journal, Splitter, lock_journal
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.jobs.pool import print_progress, run_clips


class Keyed(Protocol):
    """A thing with a clip id."""

    @property
    def clip_id(self) -> str:
        """The clip's name in ledgers and packs."""


@dataclass(frozen=True)
class Task:
    """One clip's work, as sent to a worker process.

    Attributes:
        item: the clip, or whatever the stage works from.
        target: the journal file that the worker writes, whole or not at all.
        settings: what the stage needs besides; picklable.
    """

    item: Any
    key: str
    target: Path
    settings: Any


Outcome = tuple[Task, ClipError | None]


@dataclass(frozen=True)
class Stage:
    """A clip-by-clip stage.

    Attributes:
        name: the rule's name, as it stands in ledgers.
        work: importable; writes `task.target` through `finish` or raises `ClipError`.
        split: cuts a sealed output into clip files.
        assemble: writes the output from the clip files, in order.
        preload: modules for the worker processes.
        consume: work left for this process: takes tasks as workers end them, and yields each when it
            is finished.
        drive: does the work in another way than by one call of `work` per clip; takes the tasks and
            the number of workers, and yields each task when it is finished or failed.
        failure: the class of what a damaged file makes `work` raise besides `ClipError`.
        intact: for work that also leaves files elsewhere: whether these are still what a finished
            clip file says of them. A clip whose are not is done again.
    """

    name: str
    work: Callable[[Task], None]
    split: Splitter
    assemble: Callable[[Path, Sequence[tuple[str, Path]]], None]
    preload: tuple[str, ...] = ()
    consume: Callable[[Iterable[Outcome]], Iterable[Outcome]] | None = None
    drive: Callable[[Sequence[Task], int], Iterable[Outcome]] | None = None
    intact: Callable[[Path], bool] | None = None
    failure: FailureClass = "decode"

    def in_workers(self, tasks: Sequence[Task], workers: int) -> Iterable[Outcome]:
        """Call `work` for every task in worker processes; clips of one file follow one another."""
        return run_clips(
            self.work,
            tasks,
            workers=workers,
            preload=self.preload,
            failure=self.failure,
            file_of=_file_of,
        )

    def run(
        self,
        items: Mapping[str, Keyed],
        job: Job,
        *,
        earlier: Sequence[LedgerRow],
        settings: Any = None,
    ) -> list[LedgerRow]:
        """Do what is left to do, then write output and ledger and seal them.

        Args:
            items: journal key -> clip, in list order.
            job: where everything lies.
            earlier: ledger rows of the stage before; the failed ones are copied.
            settings: handed to every task.

        Returns:
            The ledger rows in the order of `earlier`.
        """
        with lock_journal(job.journal):
            clear_leftovers(job.output, job.ledger)
            book = Journal(
                job.journal, stage=self.name, retries=job.retries, keys=items, split=self.split
            )
            self._work(items, book, settings, job.workers)
            rows = {item.clip_id: book.row(key, item.clip_id) for key, item in items.items()}
            ok = [(i.clip_id, book.path(k)) for k, i in items.items() if rows[i.clip_id].ok]
            with replace_file(job.output) as temporary:
                self.assemble(temporary, ok)
            merged = [rows.get(row.clip_id, row) for row in earlier]
            write_ledger(merged, job.ledger)
            book.seal({f"output{job.output.suffix}": job.output, LEDGER: job.ledger})
        failed = [row for row in merged if not row.ok]
        print(f"{self.name}: {len(ok)} ok, {len(failed)} failed", flush=True)
        for row in failed:
            print(f"  {row.clip_id}: {row.stage}: {row.failure}: {row.message}", flush=True)
        return merged

    def _work(self, items: Mapping[str, Keyed], book: Journal, settings: Any, workers: int) -> None:
        """Have every clip that is not in the journal finish or fail there."""
        if self.intact is not None:
            done = [key for key in items if book.done(key)]
            book.forget(key for key in done if not self.intact(book.path(key)))
        todo = book.open_keys(items)
        finished = len(items) - len(todo)
        print(f"{self.name}: {len(items)} clips, {finished} found finished", flush=True)
        tasks = [Task(items[key], key, book.path(key), settings) for key in todo]
        drive = self.drive or self.in_workers
        results: Iterable[Outcome] = drive(tasks, workers)
        if self.consume is not None:
            results = self.consume(results)
        for task, error in print_progress(results, len(tasks)):
            if error is not None:
                book.fail(task.key, task.item.clip_id, error)


def _file_of(task: Task) -> str | None:
    """Return the path of a clip's file, None for other work."""
    return getattr(task.item, "path", None)
