"""The rules that choose frames, on indices made by hand."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.video.index import VideoIndex
from reelpack.video.sampling import Sampling, filter_rate, sample


def make_index(
    pts: list[int],
    *,
    time_base: Fraction,
    last_duration: int = 1,
    origin_pts: int = 0,
    stream_count: int = 1,
    average_rate: Fraction | None = None,
    stated_seconds: float | None = None,
) -> VideoIndex:
    stamps = np.array(pts, dtype=np.int64)
    durations = np.append(np.diff(stamps), last_duration).astype(np.int64)
    return VideoIndex(
        path=Path("clip.mp4"), stream_index=0, codec="h264", width=64, height=48, rotation=0,
        time_base=time_base, average_rate=average_rate, stated_seconds=stated_seconds,
        pts=stamps, durations=durations,
        origin_pts=origin_pts, packet_pts=stamps, packet_traits=np.zeros(len(pts), np.uint8),
        packet_shown=np.ones(len(pts), np.bool_), stream_count=stream_count, has_audio=False,
        unplannable=None,
    )  # fmt: skip


def steady(count: int, rate: Fraction | int) -> VideoIndex:
    return make_index(list(range(count)), time_base=1 / Fraction(rate))


def choose(index: VideoIndex, fps: Fraction | int, **window: float) -> list[int]:
    return sample(index, Sampling(fps=Fraction(fps)), **window).tolist()


@pytest.mark.parametrize("count", [30, 31, 100, 301])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(15)])
@pytest.mark.parametrize(
    "fps", [Fraction(1), Fraction(2), Fraction(2, 3), Fraction(24), Fraction(30), Fraction(50)]
)
def test_fps_follows_the_published_rule(count: int, rate: Fraction, fps: Fraction) -> None:
    """Output k is the last i with p <= k, p = floor(i/rate*fps + 1/2)."""
    due = [int(i / rate * fps + Fraction(1, 2)) for i in range(count)]
    outputs = int(count / rate * fps + Fraction(1, 2))
    expected = [max(i for i in range(count) if due[i] <= k) for k in range(outputs)]
    assert choose(steady(count, rate), fps) == expected


def test_fps_2_of_a_25_fps_clip() -> None:
    assert choose(steady(100, 25), 2) == [6, 18, 31, 43, 56, 68, 81, 93]


@pytest.mark.parametrize(
    ("seconds", "fps", "expected"),
    [
        (1.5, Fraction(2, 3), [22]),
        (2, Fraction(2, 3), [22]),
        (3.1, Fraction(2, 3), [22, 67]),
        (4.5, Fraction(2, 3), [22, 67, 112]),
        (10, Fraction(2, 3), [22, 67, 112, 157, 202, 247, 292]),
        (2, Fraction(1), [14, 44]),
        (3.1, Fraction(1, 2), [29, 89]),
        (4.5, Fraction(1, 2), [29, 89]),
        (10, Fraction(1, 2), [29, 89, 149, 209, 269]),
        (0.5, Fraction(2), [7]),
        (1.0, Fraction(2), [7, 22]),
        (1.5, Fraction(2), [7, 22, 37]),
    ],
)
def test_hero_table(seconds: float, fps: Fraction, expected: list[int]) -> None:
    """Frames that HERO's 2D models take from a 30 fps source."""
    assert choose(steady(round(seconds * 30), 30), fps) == expected


def test_fps_repeats_pictures_of_a_slow_clip() -> None:
    assert choose(steady(3, 10), 25) == [0, 0, 0, 1, 1, 2, 2, 2]


def test_fps_with_a_variable_rate() -> None:
    index = make_index([0, 40, 900, 910, 2000], time_base=Fraction(1, 1000), last_duration=500)
    assert choose(index, 2) == [1, 1, 3, 3, 4]
    assert choose(index, 2, start_seconds=0.5) == [3, 3, 4]


def test_fps_of_a_stream_that_begins_late() -> None:
    """Only where another stream fills the gap does the program repeat the first choice."""
    late = {"time_base": Fraction(1, 25), "origin_pts": 0}
    stamps = list(range(20, 50))
    assert choose(make_index(stamps, stream_count=2, **late), 2) == [11, 11, 11, 23]
    assert choose(make_index(stamps, **late), 2) == [11, 23]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [0] * 5), (2, [0, 0, 1, 1, 1]), (5, [0, 1, 2, 3, 4]), (100, [10, 30, 50, 70, 90])],
)
def test_uniform_takes_the_middles(count: int, expected: list[int]) -> None:
    assert sample(steady(count, 25), Sampling(uniform=5)).tolist() == expected


VIOLET = {
    4: {1: "0000", 2: "0011", 3: "0112", 5: "1234", 6: "1234", 100: (20, 40, 60, 80),
        270: (54, 108, 162, 216), 301: (60, 120, 180, 240)},
    5: {1: "00000", 3: "01122", 4: "01223", 5: "01234", 6: "12345", 100: (16, 33, 50, 66, 83),
        270: (45, 90, 135, 180, 225), 301: (50, 100, 150, 200, 250)},
}  # fmt: skip


@pytest.mark.parametrize(("n", "count"), [(n, count) for n in VIOLET for count in VIOLET[n]])
def test_violet_table(n: int, count: int) -> None:
    expected = [int(index) for index in VIOLET[n][count]]
    assert sample(steady(count, 25), Sampling(violet=n)).tolist() == expected


def test_violet_of_a_window_counts_its_pictures() -> None:
    chosen = sample(steady(100, 25), Sampling(violet=4), start_seconds=1.0, end_seconds=2.0)
    assert chosen.tolist() == [30, 35, 40, 45]


def lasting(index: VideoIndex, seconds: float | None) -> VideoIndex:
    return dataclasses.replace(index, container_seconds=seconds)


@pytest.mark.parametrize("seconds", [9.97, 10.0, 10.03])
def test_favd_gives_32_frames(seconds: float) -> None:
    index = lasting(steady(round(seconds * 30), 30), seconds)
    chosen = sample(index, Sampling(favd=32))
    assert len(chosen) == 32
    assert (chosen[:3].tolist(), chosen[-1]) == ([4, 14, 23], round(seconds * 30) - 5)


def test_favd_repeats_the_last_where_the_file_outlasts_its_video() -> None:
    index = lasting(steady(200, 25), 10.24)
    chosen = sample(index, Sampling(favd=32)).tolist()
    assert chosen[23:] == [chosen[24] - 8, *[chosen[24]] * 8]
    assert len(set(chosen)) == 25


def test_favd_leaves_out_what_is_beyond() -> None:
    """A container that states too short a duration."""
    chosen = sample(lasting(steady(250, 25), 5.0), Sampling(favd=32)).tolist()
    assert (len(chosen), chosen[-1]) == (32, 123)


@pytest.mark.parametrize("seconds", [None, 0.0, -1.0])
def test_favd_takes_ten_seconds_for_an_unknown_duration(seconds: float | None) -> None:
    unknown = sample(lasting(steady(250, 25), seconds), Sampling(favd=32))
    assert unknown.tolist() == sample(lasting(steady(250, 25), 10.0), Sampling(favd=32)).tolist()


def test_favd_of_a_window_divides_by_its_length() -> None:
    index = lasting(steady(500, 25), 20.0)
    rate = {"start_seconds": 4.0, "end_seconds": 14.0}
    assert filter_rate(index, Sampling(favd=32), **rate) == Fraction(16, 5)
    assert filter_rate(index, Sampling(favd=32), start_seconds=4.0) == 2
    whole = sample(lasting(steady(250, 25), 10.0), Sampling(favd=32))
    assert sample(index, Sampling(favd=32), **rate).tolist() == (whole + 100).tolist()


def test_windows_hold_start_and_not_end() -> None:
    index = steady(50, 25)
    every = Sampling(every=True)
    assert sample(index, every, start_seconds=0.4, end_seconds=0.6).tolist() == [10, 11, 12, 13, 14]
    assert sample(index, every, end_seconds=0.08).tolist() == [0, 1]
    assert sample(index, Sampling(uniform=2), start_seconds=1.0).tolist() == [31, 43]


def test_first_and_at_least() -> None:
    index = steady(50, 25)
    assert sample(index, Sampling(every=True, first=3)).tolist() == [0, 1, 2]
    with pytest.raises(ClipError, match="50 frames chosen, at least 51") as caught:
        sample(index, Sampling(every=True, at_least=51))
    assert caught.value.failure == "too_short"


@pytest.mark.parametrize("window", [{"start_seconds": 2.0}, {"start_seconds": 9.0}])
def test_a_window_behind_the_end_is_too_short(window: dict[str, float]) -> None:
    with pytest.raises(ClipError, match="too_short"):
        sample(steady(50, 25), Sampling(every=True), **window)


def test_a_clip_shorter_than_half_a_period_is_too_short() -> None:
    with pytest.raises(ClipError, match="too_short"):
        choose(steady(3, 30), 2)


def test_an_impossible_window_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="window"):
        sample(steady(50, 25), Sampling(every=True), start_seconds=1.0, end_seconds=1.0)


def test_fps_counts_from_a_start_before_the_first_picture() -> None:
    # The same frames as of a window that began 0.03 s before a frame of a longer clip.
    longer, shorter = steady(100, 25), steady(75, 25)
    chosen = choose(longer, 3, start_seconds=0.97)
    assert choose(shorter, 3, start_seconds=-0.03) == [number - 25 for number in chosen]
    assert choose(shorter, 3, start_seconds=0.0) != [number - 25 for number in chosen]


@pytest.mark.parametrize(
    "options",
    [{}, {"violet": 2, "favd": 2}, {"violet": 0}, {"favd": -1},
     {"uniform": 2, "every": True}, {"fps": Fraction(0)}, {"uniform": 0},
     {"every": True, "first": 0}, {"every": True, "at_least": 0}],
)  # fmt: skip
def test_bad_samplings_are_the_users_mistake(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match="frames"):
        Sampling(**options)  # type: ignore[arg-type]
