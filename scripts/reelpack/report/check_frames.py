"""Clips decoded both ways: by the library, and by the ffmpeg program.

Flows in: a dataset's clip tables and recipes. Flows out: how many clips and frames are equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reelpack.clips.table import Clip, read_usable_clips
from reelpack.config.ffmpeg_program import find_program
from reelpack.config.recipes import Product, products
from reelpack.config.settings import Settings
from reelpack.config.stages import STAGES
from reelpack.core.errors import ClipError, UserError
from reelpack.core.evenly import evenly
from reelpack.frames.extract import build_scale
from reelpack.jobs.ledger import read_ledger
from reelpack.video.decode import ContradictionError, decode_frames

HEADER = ("sampling", "clips", "equal", "frames", "equal")


@dataclass
class Comparison:
    """How the clips of a sample compare for one sampling.

    Attributes:
        clips, equal_clips: a clip that fails both ways counts as equal.
        frames, equal_frames: of clips that do not fail both ways.
        differences: a line for each clip that differs.
    """

    sampling: str
    clips: int = 0
    equal_clips: int = 0
    frames: int = 0
    equal_frames: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, ...]:
        """What stands below `HEADER`."""
        counts = (self.clips, self.equal_clips, self.frames, self.equal_frames)
        return (self.sampling, *map(str, counts))


def sample_clips(settings: Settings, dataset: str, most: int) -> list[Clip]:
    """Choose clips of a dataset evenly, from the shards whose videos are here.

    Raises:
        UserError: there is no such dataset, or none of its clips is here yet.
    """
    if dataset not in settings.datasets:
        raise UserError(f"config: no dataset {dataset!r}; one of: {', '.join(settings.datasets)}")
    stage = STAGES["trim_shard"]
    clips: list[Clip] = []
    for split in settings.datasets[dataset].shards:
        for shard in settings.shards(dataset, split):
            names = {"dataset": dataset, "split": split, "shard": shard}
            table, ledger = (Path(p.format(**names)) for p in (stage.output, stage.ledger))
            if table.exists() and ledger.exists():
                clips += read_usable_clips(table, read_ledger(ledger))
    # Records and frame files are nothing that the program decodes.
    clips = evenly([clip for clip in clips if clip.record is None], most)
    if not clips:
        raise UserError(f"{dataset}: no clips are here yet: ./reelpack build {dataset}")
    return clips


def compare_dataset(settings: Settings, dataset: str, clips: Sequence[Clip]) -> list[Comparison]:
    """Compare clips by every sampling and scale that a dataset's recipes ask for."""
    program = find_program(settings.config["ffmpeg"])
    recipes = (settings.recipe(name) for name in settings.datasets[dataset].recipes)
    found: dict[str, Product] = {}
    for product in (product for recipe in recipes for product in products(recipe)):
        # JPEG files are made of frames, by encoders that differ between versions.
        kept = {k: v for k, v in product.frames.items() if k not in ("decoder", "ffmpeg", "jpeg")}
        plain = Product(kept, None)
        found.setdefault(plain.sampling_slug, plain)
    return [_compare(clips, name, product, program) for name, product in found.items()]


def _compare(clips: Iterable[Clip], name: str, product: Product, program: str) -> Comparison:
    comparison = Comparison(name)
    for clip in clips:
        comparison.clips += 1
        difference = _compare_clip(clip, product.frames, program, comparison)
        if difference is None:
            comparison.equal_clips += 1
        else:
            comparison.differences.append(f"{name}: {clip.clip_id}: {difference}")
    return comparison


def _compare_clip(
    clip: Clip, frames: Mapping[str, Any], program: str, comparison: Comparison
) -> str | None:
    """Count a clip's frames; return how its two decodes differ, None where they do not."""
    # To the program all damage counts.
    ways = (
        {**frames, "damage": "strict"},
        {**frames, "decoder": "program", "program": program},
    )
    library, other = (_Way(clip, Product(way, None)) for way in ways)
    count = equal = 0
    first: str | None = None
    for number, (left, right) in enumerate(itertools.zip_longest(library, other)):
        count += 1
        if left is not None and right is not None and np.array_equal(left, right):
            equal += 1
        elif first is None:
            first = f"frame {number} is the first to differ"
    if library.error and other.error:
        return None
    comparison.frames += count
    comparison.equal_frames += equal
    if library.error or other.error:
        return f"library: {library.error or 'ok'}; program: {other.error or 'ok'}"
    if library.count != other.count:
        return f"library: {library.count} frames; program: {other.count}; {first}"
    return first


class _Way:
    """The frames of a clip, decoded one way; how many there were, and what ended them."""

    def __init__(self, clip: Clip, product: Product) -> None:
        self._clip, self._product = clip, product
        self.count = 0
        self.error: str | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            for image in self._images():
                self.count += 1
                yield image
        except ClipError as error:
            self.error = f"{error.failure}: {error.message}"

    def _images(self) -> Iterator[Any]:
        try:
            yield from self._decode(indexed=True)
        except ContradictionError:
            yield from itertools.islice(self._decode(indexed=False), self.count, None)

    def _decode(self, *, indexed: bool) -> Iterator[Any]:
        clip = self._clip
        for frame in decode_frames(
            clip.path,
            sampling=self._product.sampling,
            scales=[build_scale(self._product.frames)],
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
            indexed=indexed,
        ):
            yield frame.images[0]
