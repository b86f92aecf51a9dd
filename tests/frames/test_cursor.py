"""A frame shard from front to back: one clip at a time, and nothing but what the ledger says."""

import hashlib

import numpy as np
import pytest

from reelpack.core.errors import DamagedError
from reelpack.frames.cursor import FrameCursor
from reelpack.frames.shard import ClipWriter, FrameShard, join_clips
from tests.support.clips import picture

CLIPS = {"b": 3, "a/ä long name": 2, "empty": 0, "c": 1}


@pytest.fixture
def shard(tmp_path):
    files = []
    for number, (clip_id, frames) in enumerate(CLIPS.items()):
        path = tmp_path / f"{number}.clip"
        with ClipWriter(path, clip_id) as writer:
            for frame in range(frames):
                writer.add(picture(10 * number + frame, 24, 16), pts_seconds=frame / 4)
        files.append((clip_id, path))
    join_clips(tmp_path / "00000.tar", files)
    return tmp_path / "00000.tar"


def test_clips_come_as_the_shard_s_random_access_gives_them(shard):
    cursor, whole = FrameCursor(shard), FrameShard(shard)
    taken = [cursor.take(clip_id) for clip_id in CLIPS]
    cursor.check_done()
    for number, (clip, (clip_id, count)) in enumerate(zip(taken, CLIPS.items(), strict=True)):
        assert len(clip) == count
        assert list(clip.pts_seconds) == whole.pts_seconds(clip_id)
        for frame, expected in zip(clip, whole.frames(clip_id), strict=True):
            np.testing.assert_array_equal(frame, expected)
        written = (shard.parent / f"{number}.clip").read_bytes()
        assert clip.sha256() == hashlib.sha256(written).hexdigest()
        assert clip.stored_bytes == sum(len(clip.png(n)) for n in range(count))
        with pytest.raises(IndexError):
            clip[count]


def test_another_clip_than_the_next_is_refused(shard):
    cursor = FrameCursor(shard)
    with pytest.raises(DamagedError, match="instead of a frame of c"):
        cursor.take("c")
    cursor.take("b")
    with pytest.raises(DamagedError, match="clips that its ledger does not name"):
        cursor.check_done()


def test_nothing_comes_after_the_last(shard):
    cursor = FrameCursor(shard)
    for clip_id in CLIPS:
        cursor.take(clip_id)
    with pytest.raises(DamagedError):
        cursor.take("d")


@pytest.mark.parametrize("keep", [0.0, 0.4, 0.95])
def test_a_cut_shard_is_damaged(shard, keep):
    data = shard.read_bytes()
    shard.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DamagedError, match=r"00000\.tar: damaged"):
        FrameCursor(shard)
