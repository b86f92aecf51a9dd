"""retries.json: per shard, how often a person asked for failed clips to be tried again.

The counters are params of the clip-by-clip rules, so a raised one reruns its shard; in it only the clips
whose failure stands under an older counter are done again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reelpack.core.errors import TRANSIENT_CLASSES, UserError
from reelpack.core.files import write_bytes
from reelpack.core.results import canonical
from reelpack.jobs.ledger import read_ledger

Kind = Literal["transient", "all"]


def read_retries(path: Path, shard: str) -> str:
    """Return one shard's counters as canonical JSON, "{}" when nobody asked."""
    if not path.exists():
        return "{}"
    return canonical(json.loads(path.read_bytes()).get(shard, {}))


def failed_shards(split: Path, kind: Kind) -> Counter[str]:
    """Count, shard by shard, the clips of a split whose failure is of a kind.

    Args:
        split: `results/{dataset}/{split}`.
        kind: "transient" for failures that may pass, "all" for every failure.
    """
    clips: dict[str, set[str]] = {}
    for path in sorted(split.glob("**/*.ledger.parquet")):
        shard = path.name.split(".")[0]
        for row in read_ledger(path):
            if not row.ok and (kind == "all" or row.failure in TRANSIENT_CLASSES):
                clips.setdefault(shard, set()).add(row.clip_id)
    return Counter({shard: len(ids) for shard, ids in clips.items()})


def ask_again(split: Path, kind: Kind) -> Counter[str]:
    """Raise the counters of the shards of a split that hold failures of a kind.

    Returns:
        Failed clips by shard.
    """
    failed = failed_shards(split, kind)
    path = split / "retries.json"
    counters = json.loads(path.read_bytes()) if path.exists() else {}
    for shard in failed:
        counters.setdefault(shard, {})
        counters[shard][kind] = counters[shard].get(kind, 0) + 1
    if failed:
        write_bytes(path, canonical(counters).encode())
    return failed


def retry(results: Path, kind: Kind, dataset: str | None) -> dict[str, Counter[str]]:
    """Ask for failed clips to be tried again in the next run.

    Args:
        results: the folder `results`.
        kind: which failures.
        dataset: only this dataset's; all when None.

    Returns:
        Per `{dataset}/{split}` the failed clips by shard.

    Raises:
        UserError: there are no results of such a dataset.
    """
    manifests = sorted(results.glob(f"{dataset or '*'}/*/manifest.parquet"))
    if not manifests:
        known = sorted({path.parts[-3] for path in results.glob("*/*/manifest.parquet")})
        raise UserError(f"{results}: no results of {dataset or 'any dataset'}; there are: {known}")
    splits = [path.parent for path in manifests]
    return {f"{split.parent.name}/{split.name}": ask_again(split, kind) for split in splits}


@dataclass(frozen=True)
class Retries:
    """How often a person asked for failed clips to be tried again.

    Attributes:
        transient: times that failures which may pass (network, rate limits) were to be retried.
        all: times that all failures were to be retried.
        under: what failures depend on besides; under something else all are tried again.
    """

    transient: int = 0
    all: int = 0
    under: str = ""

    @classmethod
    def parse(cls, text: str) -> Retries:
        """Read the JSON that `retries.json` holds for a shard; "" and "{}" mean never."""
        return cls(**json.loads(text or "{}"))

    def mark(self, failure: str) -> str:
        """Return the counters that decide whether a failure of this class still stands."""
        times = f"{self.all}.{self.transient}" if failure in TRANSIENT_CLASSES else f"{self.all}"
        return f"{times} {self.under}" if self.under else times
