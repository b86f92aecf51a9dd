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

from reelpack.config.stages import SHARD_RULES, STAGES
from reelpack.report.counts import DOWNLOAD, listed_clips, published_clips
from reelpack.report.times import Key, Timing
from reelpack.report.words import align_columns, count_things, format_bytes, format_duration

NOTHING_EARLIER = "no earlier shard to judge by"
SHARED = "shared"
_RUNNING_ORDER = list(STAGES)
# Folders that sort outputs by their kind, and do not tell jobs of a rule apart.
_FOLDERS = frozenset(
    {"packs", "models", "transformers", "samples", "weights", "videos", "annotations"}
)


@dataclass
class PlannedJob:
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


def read_jobs(summary: Iterable[str]) -> list[PlannedJob]:
    """Read jobs from the lines of `snakemake --summary`: one row per output file.

    The rows do not say which files are of one job, but their names do: those of a shard's job hold the
    shard, those of a recipe's measures the recipe, and other jobs have a folder of their own.

    Args:
        summary: lines of tab-separated values with a header.

    Returns:
        The jobs in the order of their first file.
    """
    jobs: dict[tuple[Key, str], PlannedJob] = {}
    # Names may hold quotes, which Snakemake does not treat.
    for row in csv.DictReader(summary, delimiter="\t", quoting=csv.QUOTE_NONE):
        output = Path(row["output_file"])
        key, shard = _identify(row["rule"], output)
        job = jobs.setdefault((key, shard), PlannedJob(key, *_find_owner(output), []))
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


def _find_owner(output: Path) -> tuple[str, str]:
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
    jobs: Iterable[PlannedJob], timings: dict[Key, Timing], *, folder: Path, base: Path
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
    groups: dict[tuple[str, Key], list[PlannedJob]] = {}
    for job in jobs:
        plan = plans.setdefault(job.dataset, DatasetPlan(job.dataset))
        groups.setdefault((job.dataset, job.key), []).append(job)
        if job.split and job.split not in plan.clips:
            plan.clips[job.split] = _count_clips(job.dataset, job.split, folder=folder, base=base)
        if job.key[0] == DOWNLOAD:
            plan.shards[job.split] = plan.shards.get(job.split, 0) + 1
    for (dataset, key), group in groups.items():
        if any(job.left for job in group):
            timing = timings.get(key) or timings.get((key[0], ()))
            plans[dataset].costs.append(_judge_group(key, group, timing, folder))
    for plan in plans.values():
        plan.costs.sort(key=lambda cost: (_rank(cost.rule), cost.rule, cost.product))
    return sorted(plans.values(), key=lambda plan: plan.name == SHARED)


def _rank(rule: str) -> int:
    return _RUNNING_ORDER.index(rule) if rule in _RUNNING_ORDER else -1


def _count_clips(dataset: str, split: str, *, folder: Path, base: Path) -> tuple[int | None, str]:
    listed = listed_clips(folder / "results" / dataset / split)
    if listed is not None:
        return listed, "listed"
    published = published_clips(dataset, split, base=base)
    return published, "unknown" if published is None else "published"


def _judge_group(key: Key, jobs: list[PlannedJob], timing: Timing | None, folder: Path) -> Cost:
    sizes = [_measure_outputs(folder, job) for job in jobs]
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


def _measure_outputs(folder: Path, job: PlannedJob) -> int | None:
    try:
        return sum((folder / output).stat().st_size for output in job.outputs)
    except FileNotFoundError:
        return None


# ---- for people --------------------------------------------------------------------------------


def lay_out_plan(plan: DatasetPlan) -> Iterator[str]:
    """Yield the lines that say what is left of a dataset."""
    yield plan.name
    for split, (clips, source) in plan.clips.items():
        count = "clips unknown" if clips is None else f"{count_things(clips, 'clip')} {source}"
        shards = f", {count_things(plan.shards[split], 'shard')}" if split in plan.shards else ""
        yield f"  {split}: {count}{shards}"
    if not plan.costs:
        yield "  nothing left to do"
        return
    rows: list[tuple[str, ...]] = [("rule", "of", "jobs left", "each", "time", "disk")]
    rows += [_lay_out_cost(cost) for cost in plan.costs]
    for line in align_columns(rows, right={2, 3, 4}):
        yield f"  {line}"
    yield f"  {describe_total([plan])}"


def _lay_out_cost(cost: Cost) -> tuple[str, ...]:
    left = f"{cost.left:,} of {cost.jobs:,}"
    if cost.seconds is None or cost.total_seconds is None:
        each, time = "-", "-"
    else:
        each, time = format_duration(cost.seconds), format_duration(cost.total_seconds)
    disk = NOTHING_EARLIER if cost.total_bytes is None else format_bytes(cost.total_bytes)
    if not cost.new_files:
        disk = "replaced"
    if cost.seconds is None and disk != NOTHING_EARLIER:
        disk = f"{disk}; time: {NOTHING_EARLIER}"
    return cost.rule, cost.product or "-", left, each, time, disk


def describe_total(plans: Iterable[DatasetPlan]) -> str:
    """Say in one line what is left in all; "at least" where nothing is known about some of it."""
    costs = [cost for plan in plans for cost in plan.costs]
    left = sum(cost.left for cost in costs)
    if not left:
        return "nothing left to do"
    count = f"{count_things(left, 'job')} left"
    times = [cost.total_seconds for cost in costs]
    sizes = [cost.total_bytes for cost in costs]
    if not any(value is not None for value in (*times, *sizes)):
        return f"{count}: {NOTHING_EARLIER}"
    time, size = format_duration(sum(filter(None, times))), format_bytes(sum(filter(None, sizes)))
    return f"{count}: {_least(times)}{time} one after another, {_least(sizes)}{size} of new files"


def _least(values: list[float | None]) -> str:
    return "at least " if None in values else ""
