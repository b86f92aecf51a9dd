"""Linear resizing equals OpenCV's, whose results (4.8 and 5.0, the same) stand here as checksums."""

import hashlib

import numpy as np
import pytest

from reelpack.video.resize import resize_linear


def ramp(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    channels = [(x * 7 + y * 13) % 256, (x * y) % 256, (x * x + 3 * y) % 256]
    return np.stack(channels, -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("old", "new", "digest"),
    [
        ((427, 240), (455, 256), "9d871d8c69a83855"),
        ((640, 512), (320, 256), "cfe27238b604778a"),
        ((1280, 720), (455, 256), "35dbb0a756380da7"),
        ((64, 48), (341, 256), "85aece7c86bae2f9"),
        ((256, 300), (256, 300), "bc40af6da5ecd8e6"),
        ((1, 1), (9, 5), "41a9a42d8072d429"),
        ((37, 53), (20, 91), "79a73f3e4296815d"),
        ((500, 7), (3, 300), "59b8410bb5370b73"),
    ],
)
def test_results_of_opencv(old: tuple[int, int], new: tuple[int, int], digest: str) -> None:
    resized = resize_linear(ramp(*old), *new)
    assert resized.shape == (new[1], new[0], 3)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:16] == digest


def test_the_same_size_is_a_copy() -> None:
    frame = ramp(8, 6)
    same = resize_linear(frame, 8, 6)
    np.testing.assert_array_equal(same, frame)
    assert same is not frame
