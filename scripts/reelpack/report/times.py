"""What jobs took, from Snakemake's benchmark files `benchmarks/{rule}/...tsv`.

A benchmark is of the last time that a job ran; clips that this run found finished took it no time.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from reelpack.config.stages import SHARD_RULES


@dataclass
class Timing:
    """The jobs of one rule that differ in nothing but their shard.

    Attributes:
        rule: its name.
        place: what stands between rule and shard: dataset, split, product.
        seconds: wall time of each job, by shard; "" for rules that have no shards.
        peak_megabytes: the largest resident memory of any of them, None where nobody looked.
    """

    rule: str
    place: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    peak_megabytes: float | None = None

    @property
    def total_seconds(self) -> float:
        """Wall time of all jobs, as if they had run one after another."""
        return sum(self.seconds.values())

    @property
    def median_seconds(self) -> float:
        """Wall time of the job in the middle."""
        return median(self.seconds.values())

    @property
    def longest_seconds(self) -> float:
        """Wall time of the slowest job."""
        return max(self.seconds.values())

    def clips_per_second(self, clips: dict[str, int]) -> float | None:
        """Return the finished clips per second of a job, over the shards that have both.

        Args:
            clips: finished clips by shard.
        """
        both = self.seconds.keys() & clips.keys()
        seconds = sum(self.seconds[shard] for shard in both)
        return sum(clips[shard] for shard in both) / seconds if seconds else None


Key = tuple[str, tuple[str, ...]]


def split_place(path: Path) -> tuple[Key, str]:
    """Split the path of a benchmark or log, below its folder, into rule and place, and shard."""
    rule, *place = path.with_suffix("").parts
    if rule in SHARD_RULES and place:
        return (rule, tuple(place[:-1])), place[-1]
    return (rule, tuple(place)), ""


def find_benchmarks(folder: Path) -> list[Path]:
    """Return all benchmarks below a folder, but for the report's own, which is not of the run."""
    return sorted(path for path in folder.glob("**/*.tsv") if path != folder / "report.tsv")


def read_timings(folder: Path) -> dict[Key, Timing]:
    """Read all benchmarks below a folder; jobs without a time are left out.

    Returns:
        Timings by rule and place, in the order of these.
    """
    found: dict[Key, Timing] = {}
    for path in find_benchmarks(folder):
        key, shard = split_place(path.relative_to(folder))
        for seconds, megabytes in _read_rows(path):
            timing = found.setdefault(key, Timing(*key))
            timing.seconds[shard] = seconds
            known = [value for value in (timing.peak_megabytes, megabytes) if value is not None]
            timing.peak_megabytes = max(known, default=None)
    return found


def _read_rows(path: Path) -> Iterator[tuple[float, float | None]]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            seconds = _parse_number(row.get("s"))
            if seconds is not None:
                yield seconds, _parse_number(row.get("max_rss"))


def _parse_number(text: str | None) -> float | None:
    """Read a number; Snakemake writes NA or - where it could not measure."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
