"""`decoder: program`: the frames that the ffmpeg program gives, as the library's where both agree."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from reelpack.config.sampling import Sampling
from reelpack.config.windows import FeatureWindows
from reelpack.core.errors import ClipError
from reelpack.video.decode import SharedDecodeError, decode_frames, decode_requests
from reelpack.video.decoded import DecodedFrame, Request
from reelpack.video.geometry import Scale
from tests.support.clips import cut_file, damage_file, write_clip
from tests.support.helpers import program_on_path

SIDE = [Scale(shorter_side=32)]
CLIPS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "hevc.mkv": {"codec": "hevc", "width": 96, "height": 64},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 0},
    "mpeg4_b.avi": {"codec": "mpeg4"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "turn90.mp4": {"clockwise": 90, "width": 96},
    "hidden.mp4": {"first_stamp": -7},
    "late.mp4": {"first_stamp": 20, "audio_seconds": 2.0},
    "long.mp4": {"frames": 90, "b_frames": 0},
}
RULES: dict[str, dict[str, Any]] = {
    "fps": {"fps": Fraction(7)},
    "slow": {"fps": Fraction(2), "first": 2},
    "every": {"every": True},
    "first": {"every": True, "first": 5},
    "uniform": {"uniform": 5},
    "many": {"uniform": 90},
    "violet": {"violet": 4},
    "favd": {"favd": 8},
    "still": {"windows": FeatureWindows(Fraction(1, 2))},
    "moving": {"windows": FeatureWindows(Fraction(3, 2), fps=30, frames=32)},
}


def list_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Each clip with the carried program, two of them with the one on PATH."""
    return [("imageio-ffmpeg", name) for name in sorted(names)] + [
        ("PATH", name) for name in ("late.mp4", "long.mp4")
    ]


@pytest.fixture(params=["imageio-ffmpeg", "PATH"])
def program(request: pytest.FixtureRequest) -> str:
    return imageio_ffmpeg.get_ffmpeg_exe() if request.param != "PATH" else program_on_path()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("decoder_program")

    def make(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_clip(path, **CLIPS[name])

    return make


def frames(path: Path, program: str, rule: dict[str, Any], **options: Any) -> list[DecodedFrame]:
    keys = {"decoder": "program", "program": program} if program else {}
    sampling = Sampling(**rule, **keys)
    return list(decode_frames(path, **{"sampling": sampling, "scales": SIDE, **options}))


def same(left: list[DecodedFrame], right: list[DecodedFrame]) -> bool:
    return [[i.tobytes() for i in f.pixels] for f in left] == [
        [i.tobytes() for i in f.pixels] for f in right
    ]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("program", "name"), list_pairs(set(CLIPS) - {"mpeg4_b.avi"}), indirect=["program"]
)
def test_frames_are_those_of_the_library(
    program: str, clip: Callable[[str], Path], name: str, rule: str
) -> None:
    wanted = frames(clip(name), "", RULES[rule])
    found = frames(clip(name), program, RULES[rule])
    assert wanted
    assert same(found, wanted)
    if rule in ("every", "first", "uniform", "many", "violet"):
        times = [[frame.pts_seconds for frame in each] for each in (found, wanted)]
        np.testing.assert_allclose(*times, atol=1e-6)
    elif rule in ("fps", "slow"):
        steps = np.diff([frame.pts_seconds for frame in found])
        np.testing.assert_allclose(steps, float(1 / RULES[rule]["fps"]))


@pytest.mark.parametrize("window", [(0.0, 0.5), (0.333, 0.77), (0.48, None), (None, 0.61)], ids=str)
@pytest.mark.parametrize("rule", ["fps", "every"])
@pytest.mark.parametrize(
    ("program", "name"),
    list_pairs(["mpeg4.avi", "mpeg2.ts", "late.mp4", "long.mp4"]),
    indirect=["program"],
)
def test_windows_are_those_of_the_library(
    program: str,
    clip: Callable[[str], Path],
    name: str,
    rule: str,
    window: tuple[float | None, float | None],
) -> None:
    keys = {"start_seconds": window[0], "end_seconds": window[1]}
    wanted = frames(clip(name), "", RULES[rule], **keys)
    assert wanted
    assert same(frames(clip(name), program, RULES[rule], **keys), wanted)


def test_stamps_that_only_the_decoder_knows(program: str, clip: Callable[[str], Path]) -> None:
    path = clip("mpeg4_b.avi")
    for keys in ({}, {"start_seconds": 0.333, "end_seconds": 0.77}):
        for rule in ("fps", "every", "uniform", "favd"):
            wanted = frames(path, "", RULES[rule], **keys)
            assert same(frames(path, program, RULES[rule], **keys), wanted)
    # The first one stands at 1/25 s: slot 1 of 30 per second.
    fast = {"fps": Fraction(30)}
    wanted = frames(path, "", fast)
    assert same(frames(path, program, fast), [wanted[0], *wanted])


def test_the_window_of_a_cut_file_begins_before_its_first_frame(
    program: str, clip: Callable[[str], Path]
) -> None:
    keys = {"start_seconds": -0.03, "end_seconds": 0.9}
    wanted = frames(clip("h264.mp4"), "", RULES["fps"], **keys)
    assert same(frames(clip("h264.mp4"), program, RULES["fps"], **keys), wanted)


def test_scales_and_image_files_are_those_of_the_library(
    program: str, clip: Callable[[str], Path]
) -> None:
    scales = [Scale(), Scale(shorter_side=24, scaler="bilinear"), Scale(square=16), Scale(jpeg=60)]
    for rule in ("fps", "uniform"):
        found = frames(clip("h264.mp4"), program, RULES[rule], scales=scales)
        wanted = frames(clip("h264.mp4"), "", RULES[rule], scales=scales)
        assert same(found, wanted)
        assert all(isinstance(frame.images[3], bytes) for frame in found)


def test_the_programs_own_jpeg_files(program: str, clip: Callable[[str], Path]) -> None:
    scales = [Scale(jpeg="ffmpeg")]
    found = frames(clip("h264.mp4"), program, RULES["favd"], scales=scales)
    wanted = frames(clip("h264.mp4"), "", RULES["favd"], scales=scales)
    assert len(found) == len(wanted) == 8
    for one, other in zip(found, wanted, strict=True):
        assert isinstance(one.images[0], bytes)
        difference = one.pixels[0].astype(int) - other.pixels[0]
        assert np.abs(difference).mean() < 2


def test_what_the_program_complains_of_fails_the_clip(
    program: str, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.mp4"
    damage_file(clip("long.mp4"), damaged, at=0.6)
    for rule in RULES.values():
        with pytest.raises(ClipError, match="the ffmpeg program says: ") as caught:
            frames(damaged, program, rule)
        assert caught.value.failure == "decode"
        assert str(damaged) in caught.value.message
    # Before the damage all is well, and the container is judged as ever.
    window = {"start_seconds": 0.1, "end_seconds": 0.4}
    assert same(
        frames(damaged, program, RULES["every"], **window),
        frames(damaged, "", RULES["every"], **window),
    )
    cut_file(clip("long.mp4"), tmp_path / "cut.mp4", keep=0.7)
    for name, failure in (("cut.mp4", "corrupt"), ("none.mp4", "missing")):
        with pytest.raises(ClipError) as caught:
            frames(tmp_path / name, program, RULES["fps"])
        assert caught.value.failure == failure


def test_too_short(program: str, clip: Callable[[str], Path]) -> None:
    path = clip("h264.mp4")
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (RULES["fps"], {"start_seconds": 9.0}),
        (RULES["uniform"], {"start_seconds": 9.0}),
        ({"fps": Fraction(2), "at_least": 50}, {}),
    ]
    for rule, window in cases:
        with pytest.raises(ClipError) as caught:
            frames(path, program, rule, **window)
        assert caught.value.failure == "too_short"


def test_a_program_that_fails_is_a_row_and_none_is_left_running(
    clip: Callable[[str], Path], tmp_path: Path
) -> None:
    wrapped = tmp_path / "ffmpeg"
    pids = tmp_path / "pids"
    script = f'#!/bin/sh\necho $$ >> {pids}\nexec {imageio_ffmpeg.get_ffmpeg_exe()} "$@"\n'
    wrapped.write_text(script)
    wrapped.chmod(0o755)
    sampling = Sampling(every=True, decoder="program", program=str(wrapped))
    opened = decode_frames(clip("long.mp4"), sampling=sampling, scales=[Scale()])
    next(opened)
    with contextlib.closing(opened):
        pass
    assert not any(Path("/proc", pid).exists() for pid in pids.read_text().split())
    wrapped.write_text(script.replace("exec", "[ $1 = -version ] || exit 3; exec"))
    with pytest.raises(ClipError, match="ends with status 3"):
        frames(clip("long.mp4"), str(wrapped), RULES["every"])


def test_nothing_is_shared_with_it(clip: Callable[[str], Path]) -> None:
    request = Request(Sampling(every=True, decoder="program"), tuple(SIDE))
    with pytest.raises(SharedDecodeError):
        next(decode_requests(clip("h264.mp4"), [request]))
