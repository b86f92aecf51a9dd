"""Cut files show the frames that decoders take for the window, and nothing else."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from reelpack.clips.cut.clip import CUTS, cut_clip, measure_clip
from reelpack.clips.cut.window import CutFile
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.index import index_video
from reelpack.video.sampling import Sampling
from tests.clips.cut.videos import EXACT_ONLY, VIDEOS, video
from tests.support.helpers import program_on_path, shared_clips

Window = tuple[float | None, float | None]

# On keyframes, on frames, between them, one frame, behind the end, open at either side.
WINDOWS: list[Window] = [
    (0.0, 0.5),
    (0.48, 1.1),
    (0.505, 1.333),
    (1.0, 1.04),
    (1.37, 9.0),
    (None, 0.31),
    (0.51, None),
]
EVERY = Sampling(every=True)
SAMPLINGS = [EVERY, *(Sampling(fps=Fraction(fps)) for fps in (2, 10, 31)), Sampling(uniform=5)]
SAMPLINGS += [Sampling(violet=4), Sampling(favd=32)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


def frames(
    path: Path, sampling: Sampling, start: float | None, end: float | None
) -> list[Frame] | None:
    """Pictures of a window, None where it gives none."""
    try:
        chosen = decode_frames(
            path, sampling=sampling, scales=[Scale()], start_seconds=start, end_seconds=end
        )
        return [frame.pixels[0] for frame in chosen]
    except ClipError as error:
        if error.failure != "too_short":
            raise
        return None


def difference(found: list[Frame] | None, wanted: list[Frame] | None) -> float:
    """Largest mean difference of two frames at the same place."""
    if found is None or wanted is None:
        assert found is wanted
        return 0.0
    assert len(found) == len(wanted)
    pairs = zip(found, wanted, strict=True)
    return max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs)


def compare(path: Path, target: Path, how: str, window: Window) -> tuple[CutFile, float]:
    """Cut, and return the largest difference from the window's frames under every sampling."""
    cut = cut_clip(path, target, how=how, start_seconds=window[0], end_seconds=window[1])  # type: ignore[arg-type]
    # The end may be told or not; FAVD's rule alone looks at it, and needs both.
    differences = [
        difference(
            frames(target, sampling, cut.start_seconds, told), frames(path, sampling, *window)
        )
        for sampling in SAMPLINGS
        for told in ((cut.end_seconds,) if sampling.favd else (cut.end_seconds, None))
        if not sampling.favd or None not in window
    ]
    return cut, max(differences)


def has_pictures(path: Path, window: Window) -> bool:
    return frames(path, EVERY, *window) is not None


@pytest.mark.parametrize("name", VIDEOS)
def test_keyframe_gives_the_same_frames_bit_for_bit(
    folder: Path, tmp_path: Path, name: str
) -> None:
    path = video(folder, name)
    for window in (w for w in WINDOWS if has_pictures(path, w)):
        _, off = compare(path, tmp_path / "cut.mp4", "keyframe", window)
        assert off == 0.0, window


@pytest.mark.parametrize("name", [*VIDEOS, *EXACT_ONLY])
def test_exact_gives_the_same_frames_but_for_the_encoder(
    folder: Path, tmp_path: Path, name: str
) -> None:
    path = video(folder, name)
    neighbours = frames(path, EVERY, None, None) or []
    step = min(difference([a], [b]) for a, b in itertools.pairwise(neighbours))
    for window in (w for w in WINDOWS if has_pictures(path, w)):
        _, off = compare(path, tmp_path / "cut.mp4", "exact", window)
        # A neighbour in a picture's place would differ by more.
        assert off < step, (window, step)


@pytest.mark.parametrize("how", CUTS)
def test_shown_stamps_are_those_of_the_window(folder: Path, tmp_path: Path, how: str) -> None:
    for name in ("h264.mp4", "sound.mkv", "uneven_b.mp4", "hidden.mp4"):
        path, target = video(folder, name), tmp_path / "cut.mp4"
        source = index_video(path)
        seconds = (source.pts - source.pts[0]) * source.time_base
        wanted = [t for t in seconds.tolist() if Fraction("0.505") <= t < Fraction("1.333")]
        cut = cut_clip(path, target, how=how, start_seconds=0.505, end_seconds=1.333)  # type: ignore[arg-type]
        found = index_video(target)
        assert found.plannable
        assert (found.pts * found.time_base).tolist() == [t - wanted[0] for t in wanted]
        assert cut.pictures == len(wanted)
        assert cut.start_seconds == pytest.approx(0.505 - float(wanted[0]), abs=1e-9)
        after = next(t for t in seconds.tolist() if t >= Fraction("1.333"))
        assert cut.duration_seconds == pytest.approx(float(after - wanted[0]), abs=1e-9)
        assert found.has_audio == source.has_audio


@pytest.mark.parametrize("name", EXACT_ONLY)
def test_what_cannot_be_copied_says_so(folder: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ClipError, match="allowed: trim: exact or virtual") as caught:
        cut_clip(
            video(folder, name),
            tmp_path / "cut.mp4",
            how="keyframe",
            start_seconds=0.5,
            end_seconds=1.0,
        )
    assert caught.value.failure == "trim"


@pytest.mark.parametrize("how", CUTS)
def test_the_same_cut_has_the_same_bytes_and_says_what_it_is(
    folder: Path, tmp_path: Path, how: str
) -> None:
    path = video(folder, "h264.mp4")
    one, two = tmp_path / "one", tmp_path / "$(two) -i"
    cuts = [
        cut_clip(path, target, how=how, start_seconds=0.2, end_seconds=0.9, comment="ü {}")  # type: ignore[arg-type]
        for target in (one, two)
    ]
    assert one.read_bytes() == two.read_bytes()
    assert measure_clip(path, one, start_seconds=0.2, end_seconds=0.9) == cuts[0] == cuts[1]
    with pytest.raises(ClipError, match="18 frames, 13 were asked for"):
        measure_clip(path, one, start_seconds=0.2, end_seconds=0.7)


@pytest.mark.parametrize("how", CUTS)
def test_a_window_without_a_picture(folder: Path, tmp_path: Path, how: str) -> None:
    for start, end in ((9.0, None), (9.41, 9.42)):
        with pytest.raises(ClipError, match="too_short"):
            cut_clip(
                video(folder, "h264.mp4"),
                tmp_path / "cut.mp4",
                how=how,  # type: ignore[arg-type]
                start_seconds=start,
                end_seconds=end,
            )


# ---- the ffmpeg program as an independent witness ------------------------------------------------


def pictures_of(program: str, path: Path, *options: str) -> list[str]:
    """Checksums of the frames that the program shows."""
    command = [program, "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0"]
    command += [*options, "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    "choose", [imageio_ffmpeg.get_ffmpeg_exe, program_on_path], ids=["imageio", "path"]
)
@pytest.mark.parametrize("name", ["h264.mp4", "uneven_b.mp4", "open_gop.mp4", "hevc.mkv"])
def test_the_program_shows_the_same_pictures(
    folder: Path, tmp_path: Path, name: str, choose: Callable[[], str]
) -> None:
    program, path, target = choose(), video(folder, name), tmp_path / "cut.mp4"
    everything = pictures_of(program, path)
    index = index_video(path)
    seconds = (index.pts - index.pts[0]) * float(index.time_base)
    for start, end in ((0.48, 1.1), (0.505, 1.333)):
        inside = np.flatnonzero((seconds >= start) & (seconds < end))
        cut_clip(path, target, how="keyframe", start_seconds=start, end_seconds=end)
        assert pictures_of(program, target) == [everything[number] for number in inside]


@pytest.mark.parametrize("name", ["mma_test.mp4", "video7014.mp4", "h265_10bits.mp4"])
def test_real_clips(tmp_path: Path, name: str) -> None:
    clips = shared_clips()
    if clips is None:
        pytest.skip("the real clips are not here")
    _, off = compare(clips / name, tmp_path / "cut.mp4", "keyframe", (0.3137, 0.9))
    assert off == 0.0
    _, off = compare(clips / name, tmp_path / "cut.mp4", "exact", (0.3137, 0.9))
    assert off < 4.0
