"""How many clips of a split there should be, were obtained, or failed, and where.

A ledger may be older than the list: only clips that are listed today, in the shard where they are listed
today, count. Ledgers are read one at a time, and of the failed clips only the first few are kept.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelpack.config.schema import load_yaml
from reelpack.config.stages import LEDGERS
from reelpack.core.errors import TRANSIENT_CLASSES, DamagedError
from reelpack.core.files import reading
from reelpack.jobs.ledger import LedgerRow

SHOWN_FAILURES = 50
DOWNLOAD, ENCODE = "download_shard", "encode_shard"
LEDGER_ENDING = ".ledger.parquet"
_COLUMNS = ["clip_id", "stage", "status", "failure", "message"]
_NO_IDS = pa.chunked_array([], pa.string())

# Folders below that of a split: a stage's, and its product's where it has several.
Place = tuple[str, ...]


@dataclass
class StageCounts:
    """One stage of one split, for one product, summed over its shards.

    Attributes:
        stage: the rule's name.
        product: sampling and crop, or recipe; "" for stages that no recipe changes.
        ok: finished clips of every shard that has a ledger.
        classes: clips that this ledger gives as failed, here or earlier, by class.
    """

    stage: str
    product: str
    ok: dict[str, int] = field(default_factory=dict)
    classes: Counter[str] = field(default_factory=Counter)

    @property
    def obtained(self) -> int:
        """Finished clips."""
        return sum(self.ok.values())

    @property
    def failed(self) -> int:
        """Failed clips."""
        return self.classes.total()


@dataclass
class PackCounts:
    """A recipe of a split, and how far it is.

    Attributes:
        encoded: clips with tokens; for a recipe without an encoder, those that reached its pack.
        failed: clips that failed on the way there, or that the pack's format refused.
        left: clips of the manifest without a verdict; None without a manifest.
        entries: clips in the published pack, None when it is not published.
        failures: where the pack lists its failures.
    """

    recipe: str
    encoded: int
    failed: int
    left: int | None
    entries: int | None
    failures: Path


@dataclass
class SplitCounts:
    """What became of a split.

    Attributes:
        folder: `results/{dataset}/{split}`.
        published: clips that the card says there are, None where it does not.
        listed: rows of the manifest, None when there is none.
        shards: shards asked for, or shard tables.
        steps: in running order.
        classes: distinct failed clips by stage and class.
        failed: distinct failed clips; one that a pack refused counts once per pack.
        transient: those among them whose failure may pass.
        shown: the first failures, one per clip, stage and class.
        unreadable: a manifest and ledgers that could not be read.
    """

    folder: Path
    published: int | None
    listed: int | None
    shards: int
    steps: list[StageCounts] = field(default_factory=list)
    packs: list[PackCounts] = field(default_factory=list)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: int = 0
    transient: int = 0
    shown: list[LedgerRow] = field(default_factory=list)
    unreadable: list[DamagedError] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.folder.parent.name

    @property
    def split(self) -> str:
        """The split's name."""
        return self.folder.name

    def find_step(self, stage: str, product: str = "") -> StageCounts:
        """Return the counts of a stage, all 0 where it has no ledger."""
        found = (s for s in self.steps if (s.stage, s.product) == (stage, product))
        return next(found, StageCounts(stage, product))

    def find_downloads(self) -> StageCounts:
        """Return the counts of the downloads, all 0 as long as there is no list."""
        return StageCounts(DOWNLOAD, "") if self.listed is None else self.find_step(DOWNLOAD)

    def count_left(self, step: StageCounts) -> int | None:
        """Return the listed clips without a verdict of a stage, None without a list."""
        return None if self.listed is None else self.listed - step.obtained - step.failed

    def add_failures(self, failures: Iterable[LedgerRow]) -> int:
        """Count failures, keep the first ones, and return how many there were."""
        number = 0
        for failure in failures:
            number += 1
            self.classes[failure.stage, failure.failure] += 1
            if len(self.shown) < SHOWN_FAILURES:
                self.shown.append(failure)
        return number


def published_clips(dataset: str, split: str, *, base: Path) -> int | None:
    """Return how many clips a dataset's card says a split is published with.

    Args:
        dataset: its name.
        split: the split's name.
        base: the project folder with `datasets/`.

    Returns:
        None without a card, or when the card does not say.
    """
    path = base / "datasets" / f"{dataset}.yaml"
    if not path.exists():
        return None
    count = load_yaml(path)["splits"].get(split, {}).get("clips")
    return None if count is None else int(count)


def listed_clips(split: Path) -> int | None:
    """Return the rows of a split's manifest, None when there is none."""
    try:
        return int(pq.read_metadata(split / "manifest.parquet").num_rows)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None


def count_split(
    folder: Path, *, published: int | None, shards: int | None, recipes: Collection[str]
) -> SplitCounts:
    """Count the clips of one split, in all its stages and packs.

    Args:
        folder: `results/{dataset}/{split}`; it need not exist.
        published: clips as the card says.
        shards: how many are asked for; None to believe the shard tables.
        recipes: names of the recipes asked for; others are found in the folder.
    """
    counts = count_stages(folder, published=published, shards=shards)
    names = {step.product for step in counts.steps if step.stage == ENCODE}
    names |= set(recipes) | {path.parent.name for path in folder.glob("packs/*/provenance.json")}
    counts.packs = [_count_pack(counts, name) for name in sorted(names)]
    return counts


def count_stages(
    folder: Path,
    *,
    published: int | None,
    shards: int | None,
    stages: Mapping[str, str] = LEDGERS,
) -> SplitCounts:
    """Count the clips of one split by their ledgers, and no packs.

    Args:
        folder, published, shards: see `count_split`.
        stages: those whose ledgers count, by their folders, in running order.
    """
    tables = sum(1 for _ in (folder / "shards").glob("*.parquet"))
    counts = SplitCounts(folder, published, None, shards or tables)
    listing = _read_listing(counts)
    ledgers = _find_ledgers(folder, stages)
    steps = {
        place: StageCounts(stages[place[0]], "/".join(place[1:]))
        for place in _sort_places(ledgers, stages)
    }
    for shard, paths in sorted(ledgers.items()):
        places = [(steps[place], path) for place, path in paths.items()]
        if listing is None:
            _count_shard(counts, shard, places, None)
        elif int(shard) < counts.shards:
            _count_shard(counts, shard, places, listing.get(int(shard), _NO_IDS))
    counts.steps = list(steps.values())
    return counts


def _read_listing(counts: SplitCounts) -> dict[int, pa.ChunkedArray] | None:
    """Return the listed ids by shard, None without a list, and note their number."""
    table = _read_columns(counts, counts.folder / "manifest.parquet", ["clip_id", "shard"])
    if table is None:
        return None
    table = table.sort_by("shard")
    counts.listed = len(table)
    shards, starts = np.unique(table["shard"].to_numpy(), return_index=True)
    ends = [*starts[1:], len(table)]
    return {
        int(shard): table["clip_id"].slice(start, end - start)
        for shard, start, end in zip(shards, starts, ends, strict=True)
    }


def _read_columns(counts: SplitCounts, path: Path, columns: list[str]) -> pa.Table | None:
    """Read a table; None where there is none, or a damaged one, which is noted."""
    try:
        # A run that goes on beside the report removes and replaces files.
        with path.open("rb") as stream, reading(path):
            return pq.read_table(stream, columns=columns)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        counts.unreadable.append(error)
        return None


def _find_ledgers(folder: Path, stages: Mapping[str, str]) -> dict[str, dict[Place, Path]]:
    """Find ledgers by shard, since only clips of one shard can be the same clip."""
    found: dict[str, dict[Place, Path]] = {}
    for name in stages:
        for path in sorted((folder / name).glob(f"**/*{LEDGER_ENDING}")):
            shard = path.name.removesuffix(LEDGER_ENDING)
            found.setdefault(shard, {})[path.parent.relative_to(folder).parts] = path
    return found


def _sort_places(ledgers: dict[str, dict[Place, Path]], stages: Mapping[str, str]) -> list[Place]:
    order = list(stages)
    places = {place for found in ledgers.values() for place in found}
    return sorted(places, key=lambda place: (order.index(place[0]), place))


def _count_shard(
    counts: SplitCounts,
    shard: str,
    places: Iterable[tuple[StageCounts, Path]],
    listed: pa.ChunkedArray | None,
) -> None:
    """Count the clips of a shard's ledgers; where there is a list, only those that are listed."""
    seen: dict[tuple[str, str, str], LedgerRow] = {}
    for step, path in places:
        rows = _read_columns(counts, path, _COLUMNS)
        if rows is None:
            continue
        if listed is not None:
            rows = rows.filter(pc.is_in(rows["clip_id"], value_set=listed.combine_chunks()))
        bad = rows.filter(pc.not_equal(rows["status"], "ok"))
        step.ok[shard] = len(rows) - len(bad)
        for failed in (LedgerRow(**row) for row in bad.to_pylist()):
            step.classes[failed.failure] += 1
            seen.setdefault((failed.clip_id, failed.stage, failed.failure), failed)
    counts.add_failures(seen.values())
    counts.failed += len({row.clip_id for row in seen.values()})
    counts.transient += len(
        {row.clip_id for row in seen.values() if row.failure in TRANSIENT_CLASSES}
    )


def _count_pack(counts: SplitCounts, recipe: str) -> PackCounts:
    step = counts.find_step(ENCODE, recipe)
    folder = counts.folder / "packs" / recipe
    failures, entries, refused = folder / "failures.csv", None, 0
    if (folder / "provenance.json").exists():
        notes = json.loads((folder / "provenance.json").read_bytes())
        entries = int(notes["counts"]["entries"])
        refused = counts.add_failures(_read_refused(failures))
        counts.failed += refused
        if "pixels" in notes.get("result", {}):
            # Nothing was encoded: such a pack takes the frames that recipes share.
            failed = int(notes["counts"]["failed"])
            return PackCounts(recipe, entries, failed, 0, entries, failures)
    failed, left = step.failed + refused, counts.count_left(step)
    return PackCounts(recipe, step.obtained, failed, left, entries, failures)


def _read_refused(path: Path) -> Iterator[LedgerRow]:
    """Yield the clips that the pack's format could not hold: they stand in no ledger."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["stage"] == "write_pack":
                yield LedgerRow(
                    row["clip_id"], row["stage"], "failed", row["class"], row["message"]
                )
