"""What a page shows of video transformers: how they were trained, and what they generate."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reelpack.report.curves import Curve, read_curves
from reelpack.report.pictures import Picture, load_picture


@dataclass(frozen=True)
class GeneratedSamples:
    """What a transformer generates from the videos of a split.

    Attributes:
        split: the split.
        folder: where frames and videos lie.
        videos: how many were continued.
        samples: how many were drawn in all.
        equal_codes: mean share of drawn codes that the video has too, None where nothing is known.
        bits_per_dim: mean over the videos, None where nothing is known.
        picture: the sheet, None when there is no good one.
    """

    split: str
    folder: Path
    videos: int
    samples: int
    equal_codes: float | None
    bits_per_dim: float | None
    picture: Picture | None


@dataclass
class TransformerSection:
    """What a page shows of a transformer; an imported one has no curves."""

    name: str
    dataset: str
    curves: list[Curve] = field(default_factory=list)
    samples: list[GeneratedSamples] = field(default_factory=list)


def find_transformers(results: Path, transformers: Path) -> list[TransformerSection]:
    """Return a section for each transformer that was trained or has generated something.

    Args:
        results: the folder `results`.
        transformers: the folder `resources/transformers`; it need not exist.
    """
    found: dict[tuple[str, str], TransformerSection] = {}

    def section(dataset: str, name: str) -> TransformerSection:
        return found.setdefault((dataset, name), TransformerSection(name, dataset))

    for metrics in sorted(transformers.glob("*/*/metrics.csv")):
        dataset, name = metrics.parts[-3:-1]
        section(dataset, name).curves.extend(read_curves(metrics))
    for table in sorted(results.glob("*/*/samples/*/samples.csv")):
        dataset, split, _, name = table.parts[-5:-1]
        section(dataset, name).samples.append(_read_samples(table, split))
    return [found[key] for key in sorted(found)]


def _read_samples(table: Path, split: str) -> GeneratedSamples:
    # Clip ids such as "nan" are not numbers.
    rows = pd.read_csv(table, dtype={"clip_id": str}, keep_default_na=False)
    bits = rows.drop_duplicates("clip_id")["bits_per_dim"]
    return GeneratedSamples(
        split=split,
        folder=table.parent,
        videos=rows["clip_id"].nunique(),
        samples=len(rows),
        equal_codes=_average(rows["equal_codes"]),
        bits_per_dim=_average(bits),
        picture=load_picture(table.with_suffix(".png")),
    )


def _average(values: pd.Series[str]) -> float | None:
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    return float(numbers.mean()) if len(numbers) else None
