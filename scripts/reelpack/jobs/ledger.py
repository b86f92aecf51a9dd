"""Ledgers: one row per clip of a shard, ok or failed, and why.

A stage copies the failed rows of the stage before it, so the last ledger of a chain accounts for every
clip of the shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reelpack.core.tables import Table


@dataclass(frozen=True)
class LedgerRow:
    """What became of one clip in one stage.

    Attributes:
        stage: the stage that did the work, or that failed.
        status: "ok" or "failed".
        failure: one of `errors.FAILURE_CLASSES`, "" when ok.
        message: one line, "" when ok.
        key: the journal key of clip and result string.
        digest: SHA-256 of the clip's journal file, "" when failed.
        retry: the retry counters under which a failure was seen, "" when ok.
    """

    clip_id: str
    stage: str
    status: str
    failure: str = ""
    message: str = ""
    key: str = ""
    digest: str = ""
    retry: str = ""

    @property
    def ok(self) -> bool:
        """Whether the clip can be used by the next stage."""
        return self.status == "ok"


_TABLE = Table(LedgerRow)
read_ledger = _TABLE.read
write_ledger = _TABLE.write


def merge_ledgers(ledgers: Sequence[Sequence[LedgerRow]]) -> list[LedgerRow]:
    """Merge ledgers over the same clips in the same order; a clip that failed in one has failed."""
    return [
        next((row for row in rows if not row.ok), rows[0]) for rows in zip(*ledgers, strict=True)
    ]
