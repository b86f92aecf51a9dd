"""JPEG files as OpenCV, Pillow and the ffmpeg program write them."""

import hashlib
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from reelpack.core.errors import UserError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Crop, Scale
from reelpack.video.jpeg import jpeg_bytes, jpeg_pixels
from reelpack.video.sampling import Sampling
from tests.support.clips import write_clip


def test_a_file_is_that_of_opencv() -> None:
    y, x = np.mgrid[0:24, 0:40]
    channels = [(x * 7 + y * 13) % 256, (x * y) % 256, (x * x + 3 * y) % 256]
    data = jpeg_bytes(np.stack(channels, -1).astype(np.uint8), 95)
    assert hashlib.sha256(data).hexdigest()[:16] == "0ad3983c3f77493b"


def jpegs(path: Path, jpeg: int | str, **rule: object) -> list[bytes]:
    scales = [Scale(jpeg=jpeg)]  # type: ignore[arg-type]
    frames = decode_frames(path, sampling=Sampling(**rule), scales=scales)  # type: ignore[arg-type]
    return [image for frame in frames for image in frame.images if isinstance(image, bytes)]


def test_frames_of_a_quality(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=6)
    whole = [frame.pixels[0] for frame in decode_frames(
        path, sampling=Sampling(every=True), scales=[Scale()]
    )]  # fmt: skip
    assert jpegs(path, 75, every=True) == [jpeg_bytes(frame, 75) for frame in whole]
    (frame, *_) = decode_frames(path, sampling=Sampling(every=True), scales=[Scale(jpeg=75)])
    np.testing.assert_array_equal(frame.pixels[0], jpeg_pixels(jpeg_bytes(whole[0], 75)))


@pytest.mark.parametrize(
    "options",
    [
        {"width": 320, "height": 240, "frames": 60},
        {"width": 322, "height": 182, "frames": 45, "rate": Fraction(30000, 1001)},
        {"pixel_format": "yuv444p", "frames": 20},
        {"clockwise": 90, "frames": 10},
    ],
    ids=str,
)
def test_pictures_of_the_program(tmp_path: Path, options: dict[str, object]) -> None:
    """Its comment names its version, so files are compared by their frames, to the bit."""
    path = write_clip(tmp_path / "a.mp4", **options)  # type: ignore[arg-type]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-vf", "fps=8"]
    # With more threads, which of them follows which frames is left to chance.
    subprocess.run([*command, "-threads", "1", str(tmp_path / "%d.jpg")], check=True)
    found = jpegs(path, "ffmpeg", fps=Fraction(8))
    assert len(list(tmp_path.glob("*.jpg"))) == len(found)
    for number, data in enumerate(found, 1):
        expected = jpeg_pixels((tmp_path / f"{number}.jpg").read_bytes())
        np.testing.assert_array_equal(jpeg_pixels(data), expected)


@pytest.mark.parametrize(
    "make",
    [lambda: Scale(jpeg=0), lambda: Scale(jpeg="best"), lambda: Scale(jpeg="ffmpeg", square=8),
     lambda: Crop(8, jpeg=101), lambda: Crop(8, fit="round"), lambda: Crop(8, "top", fit="pad")],
)  # fmt: skip
def test_bad_settings_are_the_users_mistake(make: object) -> None:
    with pytest.raises(UserError):
        make()  # type: ignore[operator]
