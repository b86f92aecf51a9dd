import numpy as np
import pytest
import torch

from reelpack.core.errors import DamagedError, UserError
from reelpack.encode.codes import clip_bytes, join_codes
from reelpack.lvt.transformer.code_videos import PackVideos, ShardVideos, VideoCuts, open_videos
from reelpack.packs.lvt_codes import LvtCodes
from tests.lvt.transformer.tiny import Held
from tests.packs.samples import ONE, context
from tests.packs.samples import entry as sample

LENGTHS = (6, 3, 5)


def arrays():
    noise = np.random.default_rng(0)
    return [noise.integers(9, size=(length, 2, 4, 4)) for length in LENGTHS]


@pytest.fixture
def pack(tmp_path):
    place, form = context(ONE), LvtCodes()
    stored = [
        form.store(sample(f"clip_{n}", n, variants=ONE, shape=(length, 2, 4, 4)), place)
        for n, length in enumerate(LENGTHS)
    ]
    form.write(tmp_path, stored, place)
    return tmp_path, [entry.arrays["center64"] for entry in stored]


def test_packs_are_read(pack):
    folder, written = pack
    videos = PackVideos(folder)
    assert list(videos.frames) == list(LENGTHS)
    assert all((videos[n] == codes).all() for n, codes in enumerate(written))


def test_no_pack_and_damaged_ones_are_user_errors(pack, tmp_path_factory):
    with pytest.raises(UserError, match=r"not a pack of codes: .*videos\.csv"):
        PackVideos(tmp_path_factory.mktemp("empty"))
    (file,) = pack[0].rglob("video_1/2.npy")
    file.write_bytes(b"half")
    with pytest.raises(UserError, match="video 1: "):
        PackVideos(pack[0])[1]


def test_shards_are_read(tmp_path):
    for n, codes in enumerate(arrays()):
        (tmp_path / str(n)).write_bytes(clip_bytes([codes + 1, codes]))
    shards = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    join_codes(shards[0], [(n, tmp_path / n) for n in "01"], made_with={})
    join_codes(shards[1], [("2", tmp_path / "2")], made_with={})
    videos = ShardVideos(shards, crop_set=1)
    assert videos.frames == list(LENGTHS)
    assert all((videos[n] == codes).all() for n, codes in enumerate(arrays()))


def test_places_are_one_pack_or_shards(pack, tmp_path):
    assert isinstance(open_videos([pack[0]]), PackVideos)
    (tmp_path / "clip").write_bytes(clip_bytes([arrays()[0]]))
    shard = tmp_path / "a.safetensors"
    join_codes(shard, [("clip", tmp_path / "clip")], made_with={})
    assert open_videos([shard, shard]).frames == [6, 6]
    with pytest.raises(UserError, match="a folder; give one pack, or codes shards"):
        open_videos([shard, pack[0]])
    shard.write_bytes(b"nonsense")
    with pytest.raises(DamagedError, match=r"a\.safetensors: damaged"):
        open_videos([shard])


def test_windows_leave_short_videos_out():
    windows = VideoCuts(Held(arrays()), frames=5, codebooks=2, codes=9)
    assert (windows.kept, windows.too_short, len(windows)) == ([0, 2], 1, 2)
    assert [windows.starts(0), windows.starts(1)] == [2, 1]
    assert (windows.cut(0, start=1).numpy() == arrays()[0][1:].swapaxes(0, 1)).all()
    (batch,) = windows.batches(8)
    assert batch.shape == (2, 2, 5, 4, 4)
    assert batch.dtype == torch.int64
    assert [len(some) for some in windows.batches(1)] == [1, 1]


def test_codes_without_codebooks_count_as_one():
    videos = Held([arrays()[0][:, 0]])
    assert VideoCuts(videos, frames=2, codebooks=1, codes=9).cut(0).shape == (1, 2, 4, 4)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"frames": 7}, "none of 3 videos has 7 frames"),
        ({"codebooks": 4}, r"video 0: codes are int64\[5, 2, 4, 4\], expected integers \[T, 4"),
        ({"codes": 8}, "codes reach from 0 to 8, allowed are 0 to 7"),
    ],
)
def test_codes_that_do_not_suit_are_user_errors(wish, message):
    with pytest.raises(UserError, match=message):
        VideoCuts(Held(arrays()), **{"frames": 5, "codebooks": 2, "codes": 9, **wish}).cut(0)
