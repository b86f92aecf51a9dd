"""VIOLET's own frames of five clips, where a checkout has them beside it."""

import base64
import pickle

import numpy as np
import pytest

from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.jpeg import jpeg_pixels
from reelpack.video.sampling import Sampling
from tests.support.helpers import SHARED, shared_clips

# The nearest wrong frame differs by 1.43 of 255, the farthest right one by 0.69: encoders differ.
LARGEST_DIFFERENCE = 1.0


class OnlyText(pickle.Unpickler):
    """Reads dictionaries, lists and strings."""

    def find_class(self, module: str, name: str) -> None:
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")


@pytest.mark.skipif(shared_clips() is None, reason="the shared clips are not there")
def test_all_25_frames_are_violets() -> None:
    with (SHARED / "golden/violet/msrvtt5.pkl").open("rb") as file:
        golden = OnlyText(file).load()
    differences = []
    for name, coded in golden.items():
        path = SHARED / "clips" / f"{name}.mp4"
        frames = decode_frames(path, sampling=Sampling(violet=5), scales=[Scale(jpeg=75)])
        for frame, text in zip(frames, coded, strict=True):
            expected = jpeg_pixels(base64.b64decode(text)).astype(int)
            differences.append(float(np.abs(frame.pixels[0] - expected).mean()))
    assert len(differences) == 25
    assert max(differences) < LARGEST_DIFFERENCE
