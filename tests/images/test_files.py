"""Pictures one at a time: lossless where they must be, digested as they go by."""

import numpy as np
import pytest

from reelpack.images.files import (
    FrameSequence,
    Pictures,
    convert_frames,
    decode_picture,
    encode_picture,
)
from reelpack.jobs.pool import worker_pool
from tests.support.clips import picture


class Drawn(FrameSequence):
    """Frames drawn when asked for; counts how often."""

    pts_seconds = ()
    stored_bytes = 0

    def __init__(self, count=3):
        self.drawn = 0
        self.count = count

    def __len__(self):
        return self.count

    def png(self, number):
        self.drawn += 1
        return encode_picture(picture(number, 32, 24), image="png")


def test_png_is_lossless_and_the_shard_s_own_bytes():
    frames = Drawn()
    pictures = convert_frames(frames)
    assert list(pictures) == [frames.png(number) for number in range(3)]
    np.testing.assert_array_equal(decode_picture(pictures[1]), picture(1, 32, 24))


@pytest.mark.parametrize("image", ["jpeg", "webp"])
def test_lossy_pictures_are_near_and_the_same_every_time(image):
    pictures = convert_frames(Drawn(), image=image, quality=95)
    again = convert_frames(Drawn(), image=image, quality=95)
    assert list(pictures) == list(again)
    assert len(pictures[0]) > len(convert_frames(Drawn(), image=image, quality=20)[0])
    difference = decode_picture(pictures[0]).astype(int) - picture(0, 32, 24)
    assert np.abs(difference).mean() < 8


@pytest.mark.parametrize("image", ["jpeg", "webp"])
def test_pictures_made_in_other_processes_are_the_same(image):
    frames = Drawn(count=40)
    with worker_pool(2, preload=["reelpack.images.files"]) as pool:
        there = convert_frames(frames, image=image, pool=pool)
        assert list(there) == list(convert_frames(frames, image=image))
        assert there.sha256() == convert_frames(frames, image=image).sha256()


def test_a_writer_that_goes_through_all_has_them_digested():
    frames = Drawn()
    pictures = convert_frames(frames)
    list(pictures)
    digest = pictures.sha256()
    assert frames.drawn == 3
    assert convert_frames(Drawn()).sha256() == digest


def test_the_digest_tells_where_one_picture_ends():
    parts, joined = [b"a", b"bc"], [b"ab", b"c"]
    assert Pictures(2, parts.__getitem__).sha256() != Pictures(2, joined.__getitem__).sha256()


@pytest.mark.parametrize("number", [-1, 3])
def test_beyond_the_ends_there_is_nothing(number):
    with pytest.raises(IndexError):
        convert_frames(Drawn())[number]
    with pytest.raises(IndexError):
        Drawn()[number]


def test_cut_pictures_are_errors():
    data = encode_picture(picture(0, 32, 24), image="png")
    with pytest.raises(OSError, match=r".+"):
        decode_picture(data[: len(data) // 2])
