"""What all clip-by-clip stages share: journal, workers, ledger, and assembling in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reelpack.core.errors import ClipError
from reelpack.core.files import clear_leftovers, replace_file
from reelpack.jobs.journal import LEDGER, Journal, Split, holding
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.jobs.pool import counted, run_clips
from reelpack.jobs.retries import Retries


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
    """One job of a clip-by-clip stage.

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
        intact: for work that also leaves files elsewhere: whether these are still what a finished
            clip file says of them. A clip whose are not is done again.
    """

    name: str
    work: Callable[[Task], None]
    split: Split
    assemble: Callable[[Path, Sequence[tuple[str, Path]]], None]
    preload: tuple[str, ...] = ()
    consume: Callable[[Iterable[Outcome]], Iterable[Outcome]] | None = None
    drive: Callable[[Sequence[Task], int], Iterable[Outcome]] | None = None
    intact: Callable[[Path], bool] | None = None

    def in_workers(self, tasks: Sequence[Task], workers: int) -> Iterable[Outcome]:
        """Call `work` for every task in worker processes."""
        return run_clips(self.work, tasks, workers=workers, preload=self.preload)

    def run(
        self,
        items: Mapping[str, Keyed],
        *,
        settings: Any,
        journal: Path,
        retries: Retries,
        output: Path,
        ledger: Path,
        earlier: Sequence[LedgerRow],
        workers: int,
    ) -> list[LedgerRow]:
        """Do what is left to do, then write output and ledger and seal them.

        Args:
            items: journal key -> clip, in list order.
            settings: handed to every task.
            journal: the job's journal folder.
            output: the stage's declared output.
            ledger: its declared ledger.
            earlier: ledger rows of the stage before; the failed ones are copied.
            workers: processes.

        Returns:
            The ledger rows in the order of `earlier`.
        """
        with holding(journal):
            clear_leftovers(output, ledger)
            book = Journal(journal, stage=self.name, retries=retries, keys=items, split=self.split)
            if self.intact is not None:
                done = [key for key in items if book.done(key)]
                book.forget(key for key in done if not self.intact(book.path(key)))
            todo = book.open_keys(items)
            print(
                f"{self.name}: {len(items)} clips, {len(items) - len(todo)} found finished",
                flush=True,
            )
            tasks = [Task(items[key], key, book.path(key), settings) for key in todo]
            drive = self.drive or self.in_workers
            results: Iterable[Outcome] = drive(tasks, workers)
            if self.consume is not None:
                results = self.consume(results)
            for task, error in counted(results, len(tasks)):
                if error is not None:
                    book.fail(task.key, task.item.clip_id, error)
            rows = {item.clip_id: book.row(key, item.clip_id) for key, item in items.items()}
            ok = [(i.clip_id, book.path(k)) for k, i in items.items() if rows[i.clip_id].ok]
            with replace_file(output) as temporary:
                self.assemble(temporary, ok)
            merged = [rows.get(row.clip_id, row) for row in earlier]
            write_ledger(merged, ledger)
            book.seal({f"output{output.suffix}": output, LEDGER: ledger})
            failed = [row for row in merged if not row.ok]
            print(f"{self.name}: {len(ok)} ok, {len(failed)} failed", flush=True)
            for row in failed:
                print(f"  {row.clip_id}: {row.stage}: {row.failure}: {row.message}", flush=True)
            return merged
