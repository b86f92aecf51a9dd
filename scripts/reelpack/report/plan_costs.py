"""What is still to be done, and what it may cost, judged by the jobs that have been done.

Flows in: Snakemake's own list of files and plans (`snakemake --summary`), benchmarks, and the sizes
of outputs. Flows out: per dataset a table of jobs left with their time and disk.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from reelpack.report.counts import STAGES, listed_clips, published_clips
from reelpack.report.times import SHARD_RULES, Key, Timing
from reelpack.report.words import duration, short

NOTHING_EARLIER = "no earlier shard to judge by"
SHARED = "shared"
_STAGES = list(STAGES.values())
_IMPORTS = ("import_vqvae", "import_transformer")
_FIRST = (
    "make_demo",
    "make_bair_toy",
    "fetch_weights",
    "convert_weights",
    *_IMPORTS,
    "make_manifest",
)
# Rules that are not named here come before all others: they fetch what these need.
_RUNNING_ORDER = (
    *(*_FIRST, *_STAGES[:-1]),
    *("train_vqvae", "encode_group", _STAGES[-1], "write_pack", "measure_codes"),
    *("train_transformer", "generate_videos"),
)
# Folders that sort outputs by their kind, and do not tell jobs of a rule apart.
_FOLDERS = frozenset(
    {"packs", "models", "transformers", "samples", "weights", "videos", "annotations"}
)
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass
class Job:
    """A job of the plan.

    Attributes:
        key: rule and place (dataset, split, product), the same for jobs that differ in their shard.
        dataset: the dataset that it is for, or `SHARED`.
        split: the split, "" for jobs of a whole dataset or of none.
        outputs: its declared outputs.
        left: whether it is still to run.
    """

    key: Key
    dataset: str
    split: str
    outputs: list[Path]
    left: bool = False


@dataclass(frozen=True)
class Cost:
    """Jobs that differ only in their shard.

    Attributes:
        product: split and product, or the model's or weights' name.
        jobs: how many there are in all.
        left: how many of them are still to run.
        seconds: wall time of the job in the middle among earlier ones, None when there is none.
        new_files: how many of the jobs left have no outputs yet.
        output_bytes: size of the declared outputs of the job in the middle, None when none has any.
    """

    rule: str
    product: str
    jobs: int
    left: int
    seconds: float | None
    new_files: int
    output_bytes: float | None

    @property
    def total_seconds(self) -> float | None:
        """Time of the jobs left, one after another."""
        return None if self.seconds is None else self.seconds * self.left

    @property
    def total_bytes(self) -> float | None:
        """Disk that the jobs left will take; jobs whose outputs are only replaced take none."""
        return None if self.output_bytes is None else self.output_bytes * self.new_files


@dataclass
class DatasetPlan:
    """What is left of one dataset.

    Attributes:
        clips: per split the clips and where the number is from.
        shards: per split the number of shards.
    """

    name: str
    clips: dict[str, tuple[int | None, str]] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)


def read_jobs(summary: Iterable[str]) -> list[Job]:
    """Read jobs from the lines of `snakemake --summary`: one row per output file.

    The rows do not say which files are of one job, but their names do: those of a shard's job hold the
    shard, those of a recipe's measures the recipe, and other jobs have a folder of their own.

    Args:
        summary: lines of tab-separated values with a header.

    Returns:
        The jobs in the order of their first file.
    """
    jobs: dict[tuple[Key, str], Job] = {}
    # Names may hold quotes, which Snakemake does not treat.
    for row in csv.DictReader(summary, delimiter="\t", quoting=csv.QUOTE_NONE):
        output = Path(row["output_file"])
        key, shard = _identify(row["rule"], output)
        job = jobs.setdefault((key, shard), Job(key, *_owner(output), []))
        job.outputs.append(output)
        job.left |= row["plan"] != "no update"
    return list(jobs.values())


def _identify(rule: str, output: Path) -> tuple[Key, str]:
    """Return rule and place of a job, as its benchmark has them, and its shard."""
    _, *parts, name = output.parts
    if rule in SHARD_RULES:
        dataset, split, _, *place = parts
        return (rule, (dataset, split, *place)), name.split(".")[0]
    if rule.startswith("make_manifest_"):
        return ("make_manifest", tuple(parts[:2])), ""
    if rule == "measure_codes":
        return (rule, (*parts[:2], output.stem)), ""
    return (rule, tuple(part for part in parts if part not in _FOLDERS)), ""


def _owner(output: Path) -> tuple[str, str]:
    match output.parts:
        case ("results", dataset, split, *_, _):
            return dataset, split
        case ("resources", "weights", *_):
            return SHARED, ""
        case ("resources", _, dataset, *_):
            return dataset, ""
        case _:
            return SHARED, ""


def plan_costs(
    jobs: Iterable[Job], timings: dict[Key, Timing], *, folder: Path, base: Path
) -> list[DatasetPlan]:
    """Judge the jobs left by the ones that ran.

    Args:
        jobs: all jobs, as `read_jobs` gives them.
        timings: benchmarks, as `report.times.read_timings` gives them.
        folder: the run's folder, where outputs lie.
        base: the project folder with `datasets/`, for clip counts.

    Returns:
        One plan per dataset in the jobs' order, with the groups that have jobs left in running
        order; what no dataset owns comes last, as `SHARED`.
    """
    plans: dict[str, DatasetPlan] = {}
    groups: dict[tuple[str, Key], list[Job]] = {}
    for job in jobs:
        plan = plans.setdefault(job.dataset, DatasetPlan(job.dataset))
        groups.setdefault((job.dataset, job.key), []).append(job)
        if job.split and job.split not in plan.clips:
            plan.clips[job.split] = _clips(job.dataset, job.split, folder=folder, base=base)
        if job.key[0] == "download_shard":
            plan.shards[job.split] = plan.shards.get(job.split, 0) + 1
    for (dataset, key), group in groups.items():
        if any(job.left for job in group):
            timing = timings.get(key) or timings.get((key[0], ()))
            plans[dataset].costs.append(_cost(key, group, timing, folder))
    for plan in plans.values():
        plan.costs.sort(key=lambda cost: (_turn(cost.rule), cost.rule, cost.product))
    return sorted(plans.values(), key=lambda plan: plan.name == SHARED)


def _turn(rule: str) -> int:
    return _RUNNING_ORDER.index(rule) if rule in _RUNNING_ORDER else -1


def _clips(dataset: str, split: str, *, folder: Path, base: Path) -> tuple[int | None, str]:
    listed = listed_clips(folder / "results" / dataset / split)
    if listed is not None:
        return listed, "listed"
    published = published_clips(dataset, split, base=base)
    return published, "unknown" if published is None else "published"


def _cost(key: Key, jobs: list[Job], timing: Timing | None, folder: Path) -> Cost:
    sizes = [_size(folder, job) for job in jobs]
    known = [size for size in sizes if size is not None]
    return Cost(
        rule=key[0],
        product="/".join(key[1] if jobs[0].dataset == SHARED else key[1][1:]),
        jobs=len(jobs),
        left=sum(job.left for job in jobs),
        seconds=timing.median_seconds if timing else None,
        new_files=sum(job.left and size is None for job, size in zip(jobs, sizes, strict=True)),
        output_bytes=median(known) if known else None,
    )


def _size(folder: Path, job: Job) -> int | None:
    try:
        return sum((folder / output).stat().st_size for output in job.outputs)
    except FileNotFoundError:
        return None


# ---- for people --------------------------------------------------------------------------------


def table(plan: DatasetPlan) -> Iterator[str]:
    """Yield the lines that say what is left of a dataset."""
    yield plan.name
    for split, (clips, source) in plan.clips.items():
        count = "clips unknown" if clips is None else f"{_several(clips, 'clip')} {source}"
        shards = f", {_several(plan.shards[split], 'shard')}" if split in plan.shards else ""
        yield f"  {split}: {count}{shards}"
    if not plan.costs:
        yield "  nothing left to do"
        return
    rows: list[tuple[str, ...]] = [("rule", "of", "jobs left", "each", "time", "disk")]
    rows += [_row(cost) for cost in plan.costs]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        first = (row[column].ljust(widths[column]) for column in (0, 1))
        rest = (row[column].rjust(widths[column]) for column in (2, 3, 4))
        yield f"  {'  '.join(first)}  {'  '.join(rest)}  {row[5]}".rstrip()
    yield f"  {total_line([plan])}"


def _row(cost: Cost) -> tuple[str, ...]:
    left = f"{cost.left:,} of {cost.jobs:,}"
    if cost.seconds is None or cost.total_seconds is None:
        each, time = "-", "-"
    else:
        each, time = duration(cost.seconds), duration(cost.total_seconds)
    disk = NOTHING_EARLIER if cost.total_bytes is None else file_size(cost.total_bytes)
    if not cost.new_files:
        disk = "replaced"
    if cost.seconds is None and disk != NOTHING_EARLIER:
        disk = f"{disk}; time: {NOTHING_EARLIER}"
    return cost.rule, cost.product or "-", left, each, time, disk


def total_line(plans: Iterable[DatasetPlan]) -> str:
    """Say in one line what is left in all; "at least" where nothing is known about some of it."""
    costs = [cost for plan in plans for cost in plan.costs]
    left = sum(cost.left for cost in costs)
    if not left:
        return "nothing left to do"
    count = f"{_several(left, 'job')} left"
    times = [cost.total_seconds for cost in costs]
    sizes = [cost.total_bytes for cost in costs]
    if not any(value is not None for value in (*times, *sizes)):
        return f"{count}: {NOTHING_EARLIER}"
    time, size = duration(sum(filter(None, times))), file_size(sum(filter(None, sizes)))
    return f"{count}: {_least(times)}{time} one after another, {_least(sizes)}{size} of new files"


def _several(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _least(values: list[float | None]) -> str:
    return "at least " if None in values else ""


def file_size(size: float) -> str:
    """Write a number of bytes for people, in powers of 1000."""
    power = 0
    while size >= 999.5 and power < len(_UNITS) - 1:
        size /= 1000
        power += 1
    return f"{short(size)} {_UNITS[power]}"
