"""How many clips of a split there should be, were obtained, or failed, and where.

Ledgers are read one at a time, and of the failed clips only the first few are kept.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelpack.config.schema import load_yaml
from reelpack.core.errors import TRANSIENT_CLASSES

SHOWN_FAILURES = 50
LEDGER_ENDING = ".ledger.parquet"
# Folder of a split -> the stage whose ledgers lie in it, in running order.
STAGES = {
    "downloads": "download_shard",
    "clips": "trim_shard",
    "frames": "extract_frames",
    "crops": "crop_frames",
    "audio": "extract_audio",
    "encoded": "encode_shard",
}
_COLUMNS = ["clip_id", "stage", "status", "failure", "message"]


@dataclass(frozen=True)
class Failure:
    """A clip that failed."""

    clip_id: str
    stage: str
    failure: str
    message: str


@dataclass
class Step:
    """One stage of one split, for one product, summed over its shards.

    Attributes:
        stage: the rule's name.
        product: sampling and crop, or recipe; "" for stages that no recipe changes.
        ok: finished clips of every shard that has a ledger.
        failed: clips that this ledger gives as failed, here or earlier.
    """

    stage: str
    product: str
    ok: dict[str, int] = field(default_factory=dict)
    failed: int = 0

    @property
    def obtained(self) -> int:
        """Finished clips."""
        return sum(self.ok.values())


@dataclass
class Pack:
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
        shards: shard tables, or shards asked for.
        steps: in running order.
        classes: distinct failed clips by stage and class.
        failed: distinct failed clips; one that a pack refused counts once per pack.
        transient: those among them whose failure may pass.
        shown: the first failures, one per clip, stage and class.
        unreadable: ledgers that could not be read.
    """

    folder: Path
    published: int | None
    listed: int | None
    shards: int
    steps: list[Step] = field(default_factory=list)
    packs: list[Pack] = field(default_factory=list)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: int = 0
    transient: int = 0
    shown: list[Failure] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.folder.parent.name

    @property
    def split(self) -> str:
        """The split's name."""
        return self.folder.name


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
    """Count the clips of one split.

    Args:
        folder: `results/{dataset}/{split}`; it need not exist.
        published: clips as the card says.
        shards: how many are asked for; None to believe the shard tables.
        recipes: names of the recipes asked for; others are found in the folder.
    """
    tables = sum(1 for _ in (folder / "shards").glob("*.parquet"))
    counts = SplitCounts(folder, published, listed_clips(folder), shards or tables)
    ledgers = _find_ledgers(folder)
    steps = {place: Step(STAGES[place[0]], "/".join(place[1:])) for place in _places(ledgers)}
    for shard, places in sorted(ledgers.items()):
        _count_shard(counts, shard, {place: (steps[place], path) for place, path in places.items()})
    counts.steps = list(steps.values())
    names = {step.product for step in counts.steps if step.stage == "encode_shard"}
    names |= set(recipes) | {path.parent.name for path in folder.glob("packs/*/provenance.json")}
    counts.packs = [_count_pack(counts, name) for name in sorted(names)]
    return counts


Place = tuple[str, ...]


def _find_ledgers(folder: Path) -> dict[str, dict[Place, Path]]:
    """Find ledgers by shard, since only clips of one shard can be the same clip."""
    found: dict[str, dict[Place, Path]] = {}
    for name in STAGES:
        for path in sorted((folder / name).glob(f"**/*{LEDGER_ENDING}")):
            shard = path.name.removesuffix(LEDGER_ENDING)
            found.setdefault(shard, {})[path.parent.relative_to(folder).parts] = path
    return found


def _places(ledgers: dict[str, dict[Place, Path]]) -> list[Place]:
    order = list(STAGES)
    places = {place for found in ledgers.values() for place in found}
    return sorted(places, key=lambda place: (order.index(place[0]), place))


def _count_shard(counts: SplitCounts, shard: str, places: dict[Place, tuple[Step, Path]]) -> None:
    seen: dict[tuple[str, str, str], Failure] = {}
    for step, path in places.values():
        try:
            rows = pq.read_table(path, columns=_COLUMNS)
        except FileNotFoundError:  # a run that goes on beside the report removes and replaces them
            continue
        except pa.ArrowInvalid:
            counts.unreadable.append(path)
            continue
        bad = rows.filter(pc.not_equal(rows["status"], "ok"))
        step.ok[shard] = len(rows) - len(bad)
        step.failed += len(bad)
        for row in bad.to_pylist():
            failure = Failure(row["clip_id"], row["stage"], row["failure"], row["message"])
            seen.setdefault((failure.clip_id, failure.stage, failure.failure), failure)
    _add_failures(counts, seen.values())
    counts.failed += len({failure.clip_id for failure in seen.values()})
    counts.transient += len(
        {failure.clip_id for failure in seen.values() if failure.failure in TRANSIENT_CLASSES}
    )


def _add_failures(counts: SplitCounts, failures: Iterable[Failure]) -> int:
    number = 0
    for failure in failures:
        number += 1
        counts.classes[failure.stage, failure.failure] += 1
        if len(counts.shown) < SHOWN_FAILURES:
            counts.shown.append(failure)
    return number


def _count_pack(counts: SplitCounts, recipe: str) -> Pack:
    step = next(
        (s for s in counts.steps if s.stage == "encode_shard" and s.product == recipe),
        Step("encode_shard", recipe),
    )
    left = None if counts.listed is None else counts.listed - step.obtained - step.failed
    folder = counts.folder / "packs" / recipe
    failures, entries, refused = folder / "failures.csv", None, 0
    if (folder / "provenance.json").exists():
        notes = json.loads((folder / "provenance.json").read_bytes())
        entries = int(notes["counts"]["entries"])
        refused = _add_failures(counts, _refused(failures))
        counts.failed += refused
        if "pixels" in notes.get("result", {}):
            # Nothing was encoded: such a pack takes the frames that recipes share.
            failed = int(notes["counts"]["failed"])
            return Pack(recipe, entries, failed, 0, entries, failures)
    return Pack(recipe, step.obtained, step.failed + refused, left, entries, failures)


def _refused(path: Path) -> Iterator[Failure]:
    """Yield the clips that the pack's format could not hold: they stand in no ledger."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["stage"] == "write_pack":
                yield Failure(row["clip_id"], row["stage"], row["class"], row["message"])
