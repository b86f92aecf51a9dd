"""What one decode for all feature recipes saves, and how much memory a long video takes.

Decodes, scales and crops the same clips for HERO's six recipes one after another, and for all of
them at once; models are left out, since they cost the same either way. Counts what the decoder was
asked to scale and convert. With --long-seconds it also passes one generated video of
that length through all six recipes' rows and says how memory grew.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.features [--clips DIR] [--long-seconds 3600]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reelpack.clips.table import Clip
from reelpack.config.encoder_cards import CARDS
from reelpack.config.recipes import products
from reelpack.config.settings import Settings
from reelpack.core.errors import ClipError
from reelpack.encode.rows import ClipRows
from reelpack.frames.clip_pixels import EncodeSettings, read_pixels, read_shared_pixels
from reelpack.video import decode
from tests.support.averages import Averages
from tests.support.clips import write_clip
from tests.support.helpers import ROOT
from tests.support.measuring import bench_parser, peak_mib

RECIPES = (
    "hero_resnet152", "hero_resnext101", "hero_slowfast", "hero_s3d", "hero_clip_vitb32",
    "hero_clip_rn50x4",
)  # fmt: skip


def settings_of(recipe: dict[str, Any]) -> EncodeSettings:
    """What decoding needs of a recipe."""
    return EncodeSettings(recipe["encoder"], Path(), tuple(products(recipe)), (), "cpu")


class Counting:
    """Counts the frames that are scaled and converted, while it is entered."""

    def __init__(self) -> None:
        self.scaled = 0

    def __enter__(self) -> Counting:
        call = self._call = decode.Converter.__call__

        def counting_call(converter: Any, frame: Any) -> Any:
            self.scaled += 1
            return call(converter, frame)

        decode.Converter.__call__ = counting_call
        return self

    def __exit__(self, *error: object) -> None:
        decode.Converter.__call__ = self._call


def one_after_another(clips: Sequence[Clip], members: Sequence[EncodeSettings]) -> int:
    """Decode every clip for every recipe; return the pictures given."""
    return sum(sum(1 for _ in read_pixels(clip, member)) for member in members for clip in clips)


def at_once(clips: Sequence[Clip], members: Sequence[EncodeSettings]) -> int:
    """Decode every clip once for all recipes; return the pictures given."""
    return sum(sum(1 for _ in read_shared_pixels(clip, members)) for clip in clips)


def measure(
    way: Callable[[Sequence[Clip], Sequence[EncodeSettings]], int],
    clips: Sequence[Clip],
    members: Sequence[EncodeSettings],
    repeats: int,
) -> tuple[float, float, int, int]:
    """Return wall and CPU seconds (medians), and frames given and scaled in one run."""
    walls, cpus = [], []
    for _ in range(repeats):
        with Counting() as counting:
            wall, cpu = time.perf_counter(), time.process_time()
            given = way(clips, members)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), given, counting.scaled


def usable(paths: Sequence[Path], members: Sequence[EncodeSettings]) -> Iterator[Clip]:
    """The clips that can be decoded for all recipes."""
    for path in paths:
        clip = Clip(path.name, str(path), "", None, None)
        try:
            one_after_another([clip], members)
        except ClipError as error:
            print(f"left out: {path.name}: {error}")
        else:
            yield clip


def generated(folder: Path, *, tiny: bool) -> list[Path]:
    """Clips for machines that have no real ones."""
    if tiny:
        return [write_clip(folder / "tiny.mp4", frames=40)]
    return [
        write_clip(folder / f"{rate}.mp4", frames=10 * rate, rate=rate, width=320, height=240)
        for rate in (15, 25, 30)
    ]


def long_video(seconds: float, members: Sequence[EncodeSettings], folder: Path) -> None:
    """Pass a long video through the rows of all recipes and print the memory that it took."""
    path = write_clip(
        folder / "long.mp4", frames=int(seconds * 30), rate=30, width=64, height=48, gop=60
    )
    clip = Clip("long", str(path), "", None, None)
    encoders = [Averages(window=CARDS[m.encoder["name"]].window) for m in members]
    rows = [ClipRows(encoder, 1) for encoder in encoders]
    before = peak_mib()
    for number, crops in read_shared_pixels(clip, members):
        rows[number].add([np.maximum(crop, 1) for crop in crops])
    sizes = [len(one.clip_bytes()) for one in rows]
    after = peak_mib()
    print(
        f"{seconds:g} s of video, {path.stat().st_size >> 20} MiB:"
        f" peak memory {before:.0f} MiB before, {after:.0f} MiB after;"
        f" clip files {sum(sizes)} bytes"
    )


def main() -> None:
    """Run the comparison."""
    parser = bench_parser(__doc__)
    parser.add_argument("--clips", type=Path, help="folder of clips (default: generated ones)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long-seconds", type=float, default=0)
    args = parser.parse_args()
    if args.tiny:
        args.repeats, args.long_seconds = 1, 2
    config = {"datasets": {"mine": {"videos": ".", "shards": 1, "recipes": list(RECIPES)}}}
    settings = Settings(config, ROOT)
    members = [settings_of(settings.recipe(name)) for name in RECIPES]
    with tempfile.TemporaryDirectory() as folder:
        paths = (
            generated(Path(folder), tiny=args.tiny)
            if args.clips is None
            else sorted(args.clips.iterdir())
        )
        clips = list(usable(paths, members))
        print(f"{len(clips)} clips, {len(members)} recipes")
        found = {}
        for way in (one_after_another, at_once):
            wall, cpu, given, scaled = found[way] = measure(way, clips, members, args.repeats)
            name = way.__name__.replace("_", " ")
            print(f"{name}: {wall:.2f} s ({cpu:.2f} s of CPU), {given} given, {scaled} scaled")
        ratio = found[one_after_another][1] / found[at_once][1]
        print(f"one decode for all takes {1 / ratio:.2f} of the CPU time: {ratio:.2f} times faster")
        if args.long_seconds:
            long_video(args.long_seconds, members, Path(folder))


if __name__ == "__main__":
    main()
