"""HERO's windows against its published tables, and against torch where the originals use it."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from reelpack.config.windows import (
    FeatureWindows,
    frame_rate,
    places_in_window,
    row_count,
    window_frames,
)
from reelpack.core.errors import ClipError, UserError
from reelpack.video.sampling import Sampling, sample
from tests.video.test_sampling import make_index

HALVES = FeatureWindows(Fraction(3, 2), fps=30, frames=32)
TWO = FeatureWindows(Fraction(2), fps=30, frames=32)
FIFTY_TWO = [*range(1, 54, 2)]


def clip(seconds: float, *, rate: int = 30, stated: bool = True):
    count = round(seconds * rate)
    return make_index(
        list(range(count)),
        time_base=Fraction(1, rate),
        average_rate=Fraction(rate),
        stated_seconds=count / rate if stated else None,
    )


def choose(index, windows: FeatureWindows, **part: float) -> list[int]:
    return sample(index, Sampling(windows=windows), **part).tolist()


@pytest.mark.parametrize(
    ("seconds", "halves", "halves_unstated", "two"),
    [(0.5, 1, 2, 1), (1.0, 1, 2, 1), (1.5, 1, 2, 1), (2.0, 2, 2, 1), (3.1, 3, 4, 2), (4.5, 3, 4, 3),
     (10, 7, 8, 5)],
)  # fmt: skip
def test_rows_of_motion(seconds: float, halves: int, halves_unstated: int, two: int) -> None:
    assert len(choose(clip(seconds), HALVES)) == 32 * halves
    assert len(choose(clip(seconds, stated=False), HALVES)) == 32 * halves_unstated
    assert len(choose(clip(seconds), TWO)) == 32 * two


@pytest.mark.parametrize(
    ("seconds", "halves", "two"),
    [
        (0.5, [7], [7]),
        (1.0, [7, 22], [7, 22]),
        (1.5, [7, 22, 37], [7, 22, 37]),
        (1.6, [22], [7, 22, 37]),
        (2.0, [22], [14, 44]),
        (2.1, [22], [29]),
        (3.1, [22, 67], [29, 89]),
        (4.5, [22, 67, 112], [29, 89]),
        (10, [22, 67, 112, 157, 202, 247, 292], [29, 89, 149, 209, 269]),
    ],
)
def test_pictures_of_single_picture_models(
    seconds: float, halves: list[int], two: list[int]
) -> None:
    assert choose(clip(seconds), FeatureWindows(Fraction(3, 2))) == halves
    assert choose(clip(seconds), FeatureWindows(Fraction(2))) == two


def test_a_clip_without_stated_duration_is_never_short() -> None:
    assert frame_rate(Fraction(3, 2), None) == frame_rate(Fraction(3, 2), 0) == Fraction(2, 3)
    assert choose(clip(1.5, stated=False), FeatureWindows(Fraction(3, 2))) == [22]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (24, [0, 1, 3, 4, 6, 8, 9, 11, 12, 14, 16, 17, 19, 21, 22, 24, 25, 27, 29, 30, 32, 34, 35,
              37, 38, 40, 42, 43, 45, 46, 48, 50]),
        (25, [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18, 20, 21, 23, 25, 27, 28, 30, 32, 33, 35, 37,
              38, 40, 42, 43, 45, 47, 48, 50, 52]),
        (29, [0, *FIFTY_TWO, 54, 56, 58, 59]),
        (30, [*range(0, 60, 2), 59, 59]),
        (60, [*range(0, 41, 4), 45, 49, 53, 57, *[59] * 17]),
    ],
)  # fmt: skip
def test_the_32_places(rate: int, expected: list[int]) -> None:
    """The tables of the originals; at 30 fps the even numbers, then the last frame twice."""
    assert places_in_window(TWO, Fraction(rate)).tolist() == expected
    shorter = places_in_window(HALVES, Fraction(rate)).tolist()
    assert shorter == [min(place, 44) for place in expected]


def test_places_are_torchs_at_every_rate() -> None:
    for rate in range(301):
        for windows in (HALVES, TWO, FeatureWindows(Fraction(5), fps=30, frames=32)):
            spread = torch.linspace(0, 32 * 2 * rate / 30 - 1, 32)
            expected = torch.clamp(spread, 0, windows.length - 1).long().tolist()
            assert places_in_window(windows, Fraction(rate) + Fraction(1, 3)).tolist() == expected


def original_rows(count: int, windows: FeatureWindows, duration: float, rate: int) -> np.ndarray:
    """The same by filling up real arrays, step by step: frames, seconds, windows."""
    pictures = np.arange(count)
    pictures = np.pad(pictures, (0, -count % windows.fps), mode="edge").reshape(-1, windows.fps)
    missing = -len(pictures) % windows.clip_len.numerator
    pictures = np.concatenate([pictures, *[pictures[-1:]] * missing])
    rows = pictures.reshape(-1, windows.length)
    if duration > 0:
        rows = rows[: math.ceil(duration / float(windows.clip_len))]
    return rows[:, places_in_window(windows, Fraction(rate))]


@pytest.mark.parametrize(
    "clip_len", ["1", "2", "3/2", "5", "1/2", "2/3", "7/5"], ids=lambda text: text.replace("/", "d")
)
def test_windows_are_those_of_padded_arrays(clip_len: str) -> None:
    windows = FeatureWindows(Fraction(clip_len), fps=30, frames=32)
    for count in [*range(1, 200, 7), 30, 60, 90, 150]:
        for duration in (-1.0, count / 30, count / 30 + 0.4):
            found = window_frames(
                count, windows, duration_seconds=duration, average_rate=Fraction(25)
            )
            np.testing.assert_array_equal(found, original_rows(count, windows, duration, 25))
            assert len(found) == row_count(count, windows, duration) >= 1


def test_a_part_of_a_file_counts_as_a_file_of_its_own() -> None:
    part = {"start_seconds": 2.0, "end_seconds": 5.1}
    whole = choose(clip(3.1), FeatureWindows(Fraction(2)))
    assert choose(clip(10), FeatureWindows(Fraction(2)), **part) == [60 + n for n in whole]
    for stated in (True, False):
        rows = choose(clip(10, stated=stated), HALVES, **part)
        assert len(rows) == 3 * 32
        assert rows == [60 + n for n in choose(clip(3.1), HALVES)]
    assert len(choose(clip(10), HALVES, start_seconds=6.9)) == 3 * 32
    assert len(choose(clip(10, stated=False), HALVES, start_seconds=6.9)) == 4 * 32


@pytest.mark.parametrize("windows", [FeatureWindows(Fraction(3, 2)), HALVES, TWO])
@pytest.mark.parametrize("stated", [True, False])
def test_one_picture_gives_a_row(windows: FeatureWindows, stated: bool) -> None:
    assert set(choose(clip(1 / 30, stated=stated), windows)) == {0}


def test_a_stream_without_a_rate_fails() -> None:
    index = make_index([0, 1], time_base=Fraction(1, 30))
    with pytest.raises(ClipError, match="decode: the stream states no average frame rate"):
        choose(index, HALVES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clip_len": Fraction(0)}, "clip_len is 0"),
        ({"clip_len": Fraction(2), "frames": 3}, "without fps it must be 1"),
        ({"clip_len": Fraction(2), "fps": 30}, "fps is 30 and frames 1"),
        ({"clip_len": Fraction(3, 7), "fps": 30, "frames": 32}, "allowed are multiples of 1/30"),
    ],
)
def test_windows_that_make_no_sense(settings, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FeatureWindows(**settings)


def test_windows_go_alone() -> None:
    for other in ({"every": True}, {"first": 3}, {"at_least": 3}):
        with pytest.raises(UserError, match=r"frames(: exactly one of|\.\w+: not with windows)"):
            Sampling(windows=TWO, **other)
