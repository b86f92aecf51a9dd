"""What every clip-by-clip job is told: where its things lie, and how it is to work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from reelpack.jobs.ledger import LedgerRow, merge_ledgers, read_ledger
from reelpack.jobs.retries import Retries


@dataclass(frozen=True)
class Job:
    """One shard's run of a stage.

    Attributes:
        result: the stage's result string.
        output: the output to write.
        ledger: the ledger to write.
        journal: folder of finished clips.
        earlier: ledgers of the stages before.
        retries: how often failures were to be retried.
        workers: processes.
    """

    result: str
    output: Path
    ledger: Path
    journal: Path
    earlier: tuple[Path, ...] = ()
    retries: Retries = field(default_factory=Retries)
    workers: int = 1

    def read_earlier(self) -> list[LedgerRow]:
        """Return what became of the clips before; one that failed in any stage has failed."""
        return merge_ledgers([read_ledger(path) for path in self.earlier])
