"""Frame shards: any tar reader can open them, and their bytes are a function of the frames."""

import pickle
import subprocess
import tarfile

import numpy as np
import pytest

from reelpack.frames.shard import ClipWriter, FrameShard, ShardFrames, join_clips, split_shard
from reelpack.jobs.ledger import LedgerRow

IDS = ["b", "ü/" + "lang " * 40 + "/name", "a.b/c", "empty"]
COUNTS = {"b": 3, IDS[1]: 2, "a.b/c": 11, "empty": 0}


def picture(clip_id: str, number: int) -> np.ndarray:
    generator = np.random.default_rng([len(clip_id), number])
    return generator.integers(0, 256, (6 + number % 2, 9, 3), dtype=np.uint8)


def clip_file(folder, clip_id):
    path = folder / f"{IDS.index(clip_id)}.clip"
    with ClipWriter(path, clip_id) as writer:
        for number in range(COUNTS[clip_id]):
            writer.add(picture(clip_id, number), pts_seconds=number / 3)
    return path


@pytest.fixture
def shard(tmp_path):
    target = tmp_path / "output.tar"
    join_clips(target, [(clip_id, clip_file(tmp_path, clip_id)) for clip_id in IDS])
    return target


def test_round_trip(shard):
    opened = FrameShard(shard)
    assert opened.clip_ids == IDS
    for clip_id in IDS:
        frames = list(opened.frames(clip_id))
        assert len(frames) == opened.count(clip_id) == COUNTS[clip_id]
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(frame, picture(clip_id, number))
        assert opened.pts_seconds(clip_id) == [n / 3 for n in range(COUNTS[clip_id])]


def test_the_tar_program_reads_it(shard, tmp_path):
    (tmp_path / "x").mkdir()
    done = subprocess.run(
        ["tar", "-xvf", str(shard), "-C", str(tmp_path / "x")], capture_output=True, check=True
    )
    assert done.stderr == b""
    names = sorted(str(p.relative_to(tmp_path / "x")) for p in (tmp_path / "x").rglob("*.*g"))
    wanted = [f"{i}/{n:06d}.png" for i in IDS for n in range(COUNTS[i])]
    assert names == sorted(wanted)


def test_members_are_in_order_and_carry_no_time_or_owner(shard):
    with tarfile.open(shard) as tar:
        members = tar.getmembers()
    of_b = [m.name for m in members if m.name.startswith("b/")]
    assert of_b == [*(f"b/{n:06d}.png" for n in range(3)), "b/index.json"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}


def test_equal_frames_give_equal_bytes(shard, tmp_path):
    (tmp_path / "again").mkdir()
    clips = [(clip_id, clip_file(tmp_path / "again", clip_id)) for clip_id in IDS]
    join_clips(tmp_path / "again.tar", clips)
    assert (tmp_path / "again.tar").read_bytes() == shard.read_bytes()


def test_split_gives_the_clip_files_back(shard, tmp_path):
    rows = [LedgerRow(clip_id, "s", "ok", key=str(n)) for n, clip_id in enumerate(IDS)]
    found = {k: b"".join(blocks) for k, blocks in split_shard(tmp_path, rows, {"0", "1", "3"})}
    assert found == {k: (tmp_path / f"{k}.clip").read_bytes() for k in ("0", "1", "3")}


def test_an_error_while_writing_ends_the_file(tmp_path):
    def write():
        with ClipWriter(tmp_path / "c", "a") as writer:
            writer.add(picture("a", 0), pts_seconds=0.0)
            raise ValueError("decoder")

    with pytest.raises(ValueError, match="decoder"):
        write()


def test_an_empty_shard(tmp_path):
    join_clips(tmp_path / "e.tar", [])
    assert FrameShard(tmp_path / "e.tar").clip_ids == []
    assert len(ShardFrames([tmp_path / "e.tar"])) == 0
    subprocess.run(["tar", "-tf", str(tmp_path / "e.tar")], check=True)


def test_the_order_of_a_source_does_not_depend_on_the_shards(tmp_path):
    files = {clip_id: clip_file(tmp_path, clip_id) for clip_id in IDS}
    sources = []
    for number, groups in enumerate(
        [[IDS], [IDS[2:], IDS[:2]], [[i] for i in reversed(IDS)], [[]]]
    ):
        shards = []
        for part, group in enumerate(groups):
            shards.append(tmp_path / f"{number}-{part}.tar")
            join_clips(shards[-1], [(clip_id, files[clip_id]) for clip_id in group])
        sources.append(ShardFrames(shards))
    one, *others, none = sources
    assert len(one) == sum(COUNTS.values())
    assert len(none) == 0
    assert one.counts == [COUNTS[clip_id] for clip_id in sorted(IDS) if COUNTS[clip_id]]
    elsewhere = pickle.loads(pickle.dumps(one))
    for other in (*others, elsewhere):
        assert len(other) == len(one)
        assert other.counts == one.counts
        for index in range(len(one)):
            np.testing.assert_array_equal(other[index], one[index])
    np.testing.assert_array_equal(one[0], picture("a.b/c", 0))
