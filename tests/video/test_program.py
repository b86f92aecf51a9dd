"""The same frames as the ffmpeg program's, byte for byte.

With REELPACK_REQUIRE_FFMPEG=1 a program on PATH must be there; the one that imageio-ffmpeg carries
always is.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Crop, Scale, crop_frame, crop_offset, scaled_size
from reelpack.video.index import index_video
from reelpack.video.sampling import Sampling
from tests.support.clips import write_clip
from tests.support.helpers import program_on_path

SIDE, CROP = 32, Crop(24)
CLIPS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "hevc.mkv": {"codec": "hevc", "width": 96, "height": 64},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 0},
    "mpeg4_b.avi": {"codec": "mpeg4"},
    "h264_b.avi": {},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "vp9.webm": {"codec": "vp9", "width": 67, "height": 45},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "h264.ts": {},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "444.mp4": {"pixel_format": "yuv444p", "width": 65, "height": 51},
    "422.mp4": {"pixel_format": "yuv422p"},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "full_range.mp4": {"pixel_format": "yuvj420p"},
    "gray.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "alpha.mov": {"codec": "png", "pixel_format": "rgba"},
    "turn90.mp4": {"clockwise": 90, "width": 96},
    "turn180.mp4": {"clockwise": 180, "width": 96},
    "turn270.mp4": {"clockwise": 270, "width": 96},
    "portrait.mp4": {"width": 48, "height": 64},
    "ntsc.mp4": {"rate": Fraction(30000, 1001), "frames": 50},
    "hidden.mp4": {"first_stamp": -7},
    "sound.mp4": {"audio_seconds": 1.5},
    "late.mp4": {"first_stamp": 20, "audio_seconds": 2.0},
    "late.ts": {"first_stamp": 20, "audio_seconds": 2.0},
    "variable.mkv": {
        "stamps": [0, 40, 80, 130, 131, 200, 500, 510, 800, 1300, 1310, 1400],
        "time_base": Fraction(1, 1000), "frames": 12, "b_frames": 0,
    },
}  # fmt: skip
WINDOWS = [(0.0, 0.5), (0.2, 0.9), (0.333, 0.77), (0.48, 1.1)]


@pytest.fixture(params=[imageio_ffmpeg.get_ffmpeg_exe, program_on_path], ids=["imageio", "path"])
def program(request: pytest.FixtureRequest) -> str:
    choose: Callable[[], str] = request.param
    return choose()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("program")

    def make(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_clip(path, **CLIPS[name])

    return make


def of_program(program: str, path: Path, chain: str, *options: str) -> np.ndarray:
    index = index_video(path)
    wide, high = scaled_size(index.display_width, index.display_height, shorter_side=SIDE)
    x, y = crop_offset(wide, high, size=CROP.size, position=CROP.position)
    filters = f"{chain},scale={wide}:{high}:flags=bicubic,crop={CROP.size}:{CROP.size}:{x}:{y}"
    command = [program, "-v", "error", "-nostdin", *options, "-i", str(path), "-vf", filters]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(output, np.uint8).reshape(-1, CROP.size, CROP.size, 3)


def of_library(path: Path, fps: Fraction, **window: float) -> np.ndarray:
    chosen = []
    with suppress_too_short():
        for frame in decode_frames(
            path, sampling=Sampling(fps=fps), scales=[Scale(shorter_side=SIDE)], **window
        ):
            chosen.append(crop_frame(frame.pixels[0], CROP))
    return np.array(chosen, np.uint8).reshape(-1, CROP.size, CROP.size, 3)


@contextlib.contextmanager
def suppress_too_short() -> Iterator[None]:
    """The program gives no frames where the library fails."""
    try:
        yield
    except ClipError as error:
        if error.failure != "too_short":
            raise


@pytest.mark.parametrize("name", CLIPS)
def test_fps(program: str, clip: Callable[[str], Path], name: str) -> None:
    path = clip(name)
    for fps in (Fraction(2), Fraction(2, 3), Fraction(31)):
        if (name, fps) == ("variable.mkv", 31) and "imageio" not in program:
            # FFmpeg before 6.1 ends a variable-rate stream by its last distance, not duration.
            continue
        expected = of_program(program, path, f"fps={fps}")
        np.testing.assert_array_equal(of_library(path, fps), expected)


@pytest.mark.parametrize("name", CLIPS)
def test_favd(program: str, clip: Callable[[str], Path], name: str) -> None:
    """32 frames as `fps=32/duration` gives them; "variable.mkv" as in `test_fps`."""
    path = clip(name)
    seconds = index_video(path).container_seconds
    if seconds is None or (name == "variable.mkv" and "imageio" not in program):
        return
    expected = of_program(program, path, f"fps={32 / seconds}")
    expected = np.concatenate([expected, *[expected[-1:]] * 32])[:32]
    chosen = [
        crop_frame(frame.pixels[0], CROP)
        for frame in decode_frames(
            path, sampling=Sampling(favd=32), scales=[Scale(shorter_side=SIDE)]
        )
    ]
    np.testing.assert_array_equal(np.array(chosen), expected)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mkv", "mpeg4.avi", "hidden.mp4"])
def test_windows(
    program: str, clip: Callable[[str], Path], name: str, window: tuple[float, float]
) -> None:
    path = clip(name)
    start, end = window
    chain = f"trim=end={end - start:.6f},fps="
    for fps in (Fraction(10), Fraction(31)):
        expected = of_program(program, path, f"{chain}{fps}", "-ss", str(start))
        found = of_library(path, fps, start_seconds=start, end_seconds=end)
        np.testing.assert_array_equal(found, expected)
