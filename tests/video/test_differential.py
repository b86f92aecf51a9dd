"""Many kinds of files, whole and damaged, against the ffmpeg program and against decoding everything.

REELPACK_FILES and REELPACK_MUTANTS set how many; REELPACK_SEED begins elsewhere.
"""

from __future__ import annotations

import os
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reelpack.config.sampling import Sampling
from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale, scaled_size
from reelpack.video.index import index_video
from tests.video import program
from tests.video.files import Recipe, mutants, recipes

SEED = int(os.environ.get("REELPACK_SEED", "0"))
FILES = recipes(int(os.environ.get("REELPACK_FILES", "150")), seed=SEED)
MUTANTS = int(os.environ.get("REELPACK_MUTANTS", "300"))
RULES: list[dict[str, Any]] = [
    {"fps": Fraction(2)}, {"fps": Fraction(31)}, {"uniform": 5}, {"violet": 4}, {"favd": 8},
]  # fmt: skip
WINDOWS = ((0.4, 1.1), (0.777, 0.8), (1.2, 9.0))


def chosen(path: Path, keys: dict[str, Any], **options: Any) -> list[tuple[float, bytes]] | str:
    sampling = Sampling(**keys, damage=options.pop("damage", "chosen"))
    scales = [Scale(shorter_side=program.SIDE)]
    try:
        return [
            (frame.pts_seconds, frame.pixels[0].tobytes())
            for frame in decode_frames(path, sampling=sampling, scales=scales, **options)
        ]
    except ClipError as error:
        return error.failure


def pixels(found: list[tuple[float, bytes]] | str) -> list[bytes] | str:
    return found if isinstance(found, str) else [frame for _, frame in found]


def as_list(frames: np.ndarray) -> list[bytes]:
    return [frame.tobytes() for frame in frames]


def size_of(path: Path) -> tuple[int, int]:
    index = index_video(path)
    return scaled_size(index.display_width, index.display_height, shorter_side=program.SIDE)


@pytest.mark.parametrize("recipe", FILES, ids=lambda recipe: recipe.name)
def test_whole_files(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe.write(tmp_path)
    size = size_of(path)
    witness = program.every_frame(path, size)
    every = chosen(path, {"every": True})
    if witness.complaint and isinstance(every, str):
        return
    assert pixels(every) == as_list(witness.frames)
    count = len(every)
    for keys in RULES:
        planned = chosen(path, keys)
        assert planned == chosen(path, keys, planned=False), keys
        assert planned == chosen(path, keys, damage="strict"), keys
        if "fps" in keys:
            wanted = as_list(program.at_rate(path, size, keys["fps"])) or "too_short"
        elif "uniform" in keys:
            wanted = [pixels(every)[count * (2 * n + 1) // 10] for n in range(5)]
        elif "violet" in keys:
            wanted = [pixels(every)[int(count / 5 * n)] for n in range(1, 5)]
        else:
            wanted = pixels(planned)
        assert pixels(planned) == wanted, keys
    base = index_video(path).time_base
    for start, end in WINDOWS:
        window = {"start_seconds": start, "end_seconds": end}
        # Ends are rounded to the stream's ticks.
        first, last = (float(round(seconds / base) * base) - 1e-9 for seconds in (start, end))
        inside = [frame for frame in every if first <= frame[0] < last]
        standing = [frame for frame in every if frame[0] < first][-1:]
        found = chosen(path, {"every": True}, **window)
        assert found == (inside or standing) or (not inside and found == "too_short")
        for keys in RULES:
            assert chosen(path, keys, **window) == chosen(path, keys, planned=False, **window)


def test_damaged_files(tmp_path: Path) -> None:
    """Every mutant is a row or gives frames; where the program has no complaint, the program's."""
    kinds = [
        recipe
        for recipe in recipes(max(4, MUTANTS // 3), seed=SEED + 5000)
        if recipe.habit != "joined"
    ]
    outcomes: Counter[str] = Counter()
    wrong = []
    for place, recipe in enumerate(kinds):
        whole = recipe.write(tmp_path)
        for kind, content in mutants(whole, count=-(-MUTANTS // len(kinds)), seed=place):
            path = whole.with_name(f"bad_{whole.name}")
            path.write_bytes(content)
            outcome = judge(path)
            outcomes[outcome.partition(":")[0]] += 1
            if outcome.startswith("wrong"):
                number = sum(outcomes.values())
                keep = os.environ.get("REELPACK_KEEP")
                if keep:
                    (Path(keep) / f"{number}_{kind}_{whole.name}").write_bytes(content)
                wrong.append(f"{number} {kind} {whole.name} {outcome}")
    print(dict(outcomes))
    assert not wrong, "\n".join(wrong)
    assert outcomes["ok"]
    assert outcomes["row"]


def judge(path: Path) -> str:
    """What comes of a damaged file: "row", "ok", or "wrong: why"."""
    every = chosen(path, {"every": True})
    if every != chosen(path, {"every": True}, planned=False):
        return "wrong: planned is not full"
    for keys in RULES:
        strict = chosen(path, keys, damage="strict")
        if strict != chosen(path, keys, planned=False, damage="strict"):
            return f"wrong: planned is not full for {keys}"
        if isinstance(every, str) and not isinstance(strict, str):
            return f"wrong: strict is ok for {keys}, every is {every}"
    if isinstance(every, str):
        return f"row: {every}"
    witness = program.every_frame(path, size_of(path))
    if witness.complaint:
        return "ok: the program complains"
    if pixels(every) != as_list(witness.frames):
        return f"wrong: {len(every)} frames, the program gives {len(witness.frames)}"
    return "ok"
