"""Measuring: a file that shows something else than was asked for is noticed."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reelpack.clips.cut.window import AskedFrames, CutFile, measure_file
from reelpack.core.errors import ClipError
from reelpack.video.index import index_video
from reelpack.video.sampling import Window
from tests.support.clips import write_audio, write_clip


def asked(stamps: list[float], end: float, *, origin: float = 0.0) -> AskedFrames:
    """A window in a video with ticks of a millisecond."""
    pts = np.array([round(stamp * 1000) for stamp in stamps], dtype=np.int64)
    window = Window(0, len(pts), round(origin * 1000), round(end * 1000))
    return AskedFrames(pts, window, Fraction(1, 1000), has_audio=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("w") / "a.mp4", frames=5)


RIGHT = [1.0, 1.04, 1.08, 1.12, 1.16]


def test_what_was_asked_for(path: Path) -> None:
    assert measure_file(path, asked(RIGHT, 1.2, origin=1.0)) == CutFile(0.0, 5, 0.2)
    assert measure_file(path, asked(RIGHT, 1.2, origin=0.97)).start_seconds == pytest.approx(-0.03)
    # An origin behind the first frame would leave it out.
    assert measure_file(path, asked(RIGHT, 1.2, origin=1.01)).start_seconds == 0.0


def test_half_a_picture_is_tolerated(path: Path) -> None:
    assert measure_file(path, asked([1.0, 1.04, 1.095, 1.12, 1.16], 1.215)).pictures == 5


@pytest.mark.parametrize(
    ("stamps", "end", "message"),
    [
        (RIGHT[:4], 1.16, "shows 5 frames, 4 were asked for"),
        ([*RIGHT, 1.2], 1.24, "shows 5 frames, 6 were asked for"),
        ([1.0, 1.04, 1.08, 1.145, 1.16], 1.2, "up to 0.0250 s from their places"),
        (
            RIGHT,
            1.225,
            r"last frame ends at 0.2000 s, 0.2250 s was asked for; allowed: trim: exact",
        ),
    ],
)
def test_what_was_not_asked_for(path: Path, stamps: list[float], end: float, message: str) -> None:
    with pytest.raises(ClipError, match=message) as caught:
        measure_file(path, asked(stamps, end))
    assert caught.value.failure == "trim"


def test_a_file_that_cannot_be_read_back(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="cannot be read back: no_video") as caught:
        measure_file(write_audio(tmp_path / "a.mp4"), asked(RIGHT, 1.2))
    assert caught.value.failure == "trim"


def test_windows_of_indexes_and_of_pictures_agree(path: Path) -> None:
    by_index = AskedFrames.of_index(index_video(path), 0.03, 0.13)
    by_pictures = AskedFrames.of_frames(path, 0.03, 0.13)
    assert by_index.pts.tolist() == by_pictures.pts.tolist() == [512, 1024, 1536]
    assert by_index.window == by_pictures.window
    assert by_index.durations.tolist() == [512] * 3
    assert (by_index.begin_seconds, by_index.end_seconds) == (Fraction("0.04"), Fraction("0.16"))
    assert replace(by_index, pts=by_index.pts[:1]).usual_duration == 1536
