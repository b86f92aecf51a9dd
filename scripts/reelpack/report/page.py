"""The page: everything that is there of a run, put together and rendered."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from reelpack import __version__
from reelpack.config.stages import LEDGERS
from reelpack.core.errors import UserError
from reelpack.report.counts import SHOWN_FAILURES, SplitCounts, count_split, published_clips
from reelpack.report.curves import HEIGHT, WIDTH, Curve, draw_histogram, read_curves
from reelpack.report.measures import Measured, read_measures
from reelpack.report.pictures import Picture, draw_strip, load_picture
from reelpack.report.show import PackView, SampledClip, find_packs, read_samples
from reelpack.report.times import Key, Timing, read_timings
from reelpack.report.tokens import TokenUse, count_tokens
from reelpack.report.transformers import find_transformers
from reelpack.report.words import count_things, format_duration, format_short

# Rules with jobs of one split, in running order.
SPLIT_RULES = ("make_manifest", *LEDGERS.values(), "write_pack", "measure_codes")
TEMPLATES = Path(__file__).parents[3] / "rules" / "report"


@dataclass(frozen=True)
class TimedStep:
    """A timing and the finished clips per second of it, None for rules that do not count clips."""

    timing: Timing
    clips_per_second: float | None


@dataclass(frozen=True)
class Shot:
    """A sampled clip and its picture."""

    sample: SampledClip
    picture: Picture


@dataclass(frozen=True)
class RecipeSection:
    """What a page shows of a recipe of a split.

    Attributes:
        view: its published pack, None before that.
        shots: sampled clips of the pack.
        tokens: one entry per codebook.
        measured: reconstruction error and codebook use, None before they were measured.
    """

    name: str
    view: PackView | None
    shots: list[Shot]
    tokens: list[TokenUse]
    measured: Measured | None


@dataclass(frozen=True)
class SplitSection:
    """What a page shows of a split.

    Attributes:
        commands: what to run to have failed clips tried again, with what it is for.
    """

    counts: SplitCounts
    times: list[TimedStep]
    recipes: list[RecipeSection]
    commands: list[tuple[str, str]]


@dataclass(frozen=True)
class ModelSection:
    """What a page shows of a trained model."""

    name: str
    dataset: str
    curves: list[Curve]
    picture: Picture | None


def render_report(
    results: Path,
    *,
    models: Path,
    transformers: Path,
    benchmarks: Path,
    base: Path,
    asked: Mapping[str, Any],
) -> str:
    """Return the report's HTML.

    Args:
        results: the folder `results`.
        models: the folder `resources/models`; it need not exist.
        transformers: the folder `resources/transformers`; it need not exist.
        benchmarks: the folder `benchmarks`; it need not exist.
        base: the project folder, for published clip counts.
        asked: what config.yaml asks for, see `asked.request_report`; {} to show just what is there.

    Raises:
        UserError: there are no results at all.
    """
    folders = find_splits(results)
    if not folders:
        raise UserError(f"{results}: nothing to report: no results below this folder; build first")
    for name in asked:
        folders.setdefault(name, results / name)
    timings = read_timings(benchmarks)
    splits = [
        _describe_split(
            folder, models=models, base=base, asked=asked.get(name, {}), timings=timings
        )
        for name, folder in sorted(folders.items())
    ]
    shown = {(step.timing.rule, step.timing.place) for split in splits for step in split.times}
    return _render(
        results=results,
        splits=splits,
        models=[_describe_model(path.parent) for path in sorted(models.glob("*/*/metrics.csv"))],
        transformers=find_transformers(results, transformers),
        other_times=[TimedStep(t, None) for key, t in timings.items() if key not in shown],
        latest=_find_latest(folders.values()),
    )


def find_splits(results: Path) -> dict[str, Path]:
    """Find the folders `{dataset}/{split}` in which a stage has left something, by that name."""
    places = ("manifest.parquet", "packs", *LEDGERS)
    return {
        f"{folder.parent.name}/{folder.name}": folder
        for folder in results.glob("*/*")
        if any((folder / place).exists() for place in places)
    }


def _describe_split(
    folder: Path,
    *,
    models: Path,
    base: Path,
    asked: Mapping[str, Any],
    timings: Mapping[Key, Timing],
) -> SplitSection:
    dataset, split = folder.parts[-2:]
    vocabularies = asked.get("recipes", {})
    counts = count_split(
        folder,
        published=published_clips(dataset, split, base=base),
        shards=asked.get("shards"),
        recipes=vocabularies,
    )
    views = {view.folder.name: view for view in find_packs(folder)}
    recipes = [
        _describe_recipe(folder, pack.recipe, views.get(pack.recipe), vocabularies, models)
        for pack in counts.packs
    ]
    times = _match_times(counts, timings)
    return SplitSection(counts, times, recipes, _list_commands(counts))


def _match_times(counts: SplitCounts, timings: Mapping[Key, Timing]) -> list[TimedStep]:
    place = (counts.dataset, counts.split)
    steps = {
        (step.stage, (*place, *filter(None, step.product.split("/")))): step
        for step in counts.steps
    }
    mine = [key for key in timings if key[1][:2] == place and key[0] in SPLIT_RULES]
    return [
        TimedStep(
            timings[key],
            timings[key].clips_per_second(steps[key].ok) if key in steps else None,
        )
        for key in sorted(mine, key=lambda key: (SPLIT_RULES.index(key[0]), key[1]))
    ]


def _describe_recipe(
    folder: Path,
    name: str,
    view: PackView | None,
    vocabularies: Mapping[str, int | None],
    models: Path,
) -> RecipeSection:
    vocabulary = vocabularies.get(name)
    if vocabulary is None and view is not None:
        weights = view.provenance["result"].get("encoded", {}).get("weights", {})
        # Of an imported model it stands beside the stage, of a trained one in its card.
        vocabulary = weights.get("model", weights).get("architecture", {}).get("codes")
    found = read_samples(view, models) if view is not None else ()
    shots = [
        Shot(sample, draw_strip([sample.frames, sample.decoded]))
        for sample in found
        if sample.frames or sample.decoded
    ]
    tokens = count_tokens(folder / "encoded" / name, vocabulary=vocabulary)
    measured = read_measures(folder / "measures" / f"{name}.json")
    return RecipeSection(name, view, shots, tokens, measured)


def _describe_model(folder: Path) -> ModelSection:
    return ModelSection(
        folder.name,
        folder.parent.name,
        list(read_curves(folder / "metrics.csv")),
        load_picture(folder / "reconstructions.png"),
    )


def _list_commands(counts: SplitCounts) -> list[tuple[str, str]]:
    """Return the commands that have failed clips tried again: a retry is of a whole dataset."""
    results = counts.folder.parent.parent
    place = "" if str(results) == "results" else f" --results {shlex.quote(str(results))}"
    kinds = [
        ("transient", counts.transient, "failed for a reason that may pass"),
        ("all", counts.failed, "failed"),
    ]
    return [
        (
            f"{count_things(number, 'clip')} {why}",
            f"./reelpack retry {kind} {shlex.quote(counts.dataset)}{place}",
        )
        for kind, number, why in kinds
        if number
    ]


def _find_latest(folders: Any) -> datetime | None:
    """Return when the newest ledger or pack was written, so that the page itself holds no clock."""
    times = [
        path.stat().st_mtime
        for folder in folders
        for pattern in ("**/*.ledger.parquet", "packs/*/provenance.json")
        for path in folder.glob(pattern)
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None


# ---- rendering ---------------------------------------------------------------------------------


def _render(**content: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "duration": format_duration,
        "short": format_short,
        "pretty": lambda value: json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True),
        "histogram": draw_histogram,
    }
    environment.filters |= filters
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    # The page may use this very style and inline pictures; a browser is to load and run nothing.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment.get_template("report.html").render(
        **content,
        style=style,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:",
        version=__version__,
        shown_failures=SHOWN_FAILURES,
        width=WIDTH,
        height=HEIGHT,
    )
    # Clip ids may hold lone surrogates, which no file can.
    return page.encode("utf-8", "replace").decode()
