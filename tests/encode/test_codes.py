import numpy as np
import pytest

from reelpack.core.errors import DamagedError
from reelpack.encode.codes import CodesShard, clip_bytes, join_codes, split_codes
from reelpack.jobs.ledger import LedgerRow

CLIPS = [
    [np.arange(6, dtype=np.int64).reshape(3, 2, 1) + n, np.arange(3, dtype=np.int16) * n]
    for n in range(3)
]
CLIPS[1] = [array[:1] for array in CLIPS[1]]


def join(folder, clips, name="output.safetensors", **made_with):
    files = []
    for number, tokens in enumerate(clips):
        files.append((f"id{number}", folder / f"{number}.clip"))
        files[-1][1].write_bytes(clip_bytes(tokens))
    join_codes(folder / name, files, made_with=made_with)
    return folder / name


def test_round_trip(tmp_path):
    shard = CodesShard(join(tmp_path, CLIPS, device="cpu"))
    assert len(shard) == 3
    assert shard.made_with == {"device": "cpu"}
    for number, tokens in enumerate(CLIPS):
        found = shard.clip(number)
        assert [array.dtype for array in found] == [array.dtype for array in tokens]
        for one, other in zip(found, tokens, strict=True):
            np.testing.assert_array_equal(one, other)


def test_arrays_of_any_layout_are_kept(tmp_path):
    tokens = [np.arange(12, dtype=np.float32).reshape(3, 4).T, np.arange(12)[::3]]
    found = CodesShard(join(tmp_path, [tokens])).clip(0)
    for one, other in zip(found, tokens, strict=True):
        np.testing.assert_array_equal(one, other)


def test_equal_tokens_give_equal_bytes(tmp_path):
    paths = [join(tmp_path, CLIPS, f"{n}", b="2", a="1", c="ü") for n in range(3)]
    assert len({path.read_bytes() for path in paths}) == 1


def test_an_empty_shard(tmp_path):
    assert len(CodesShard(join(tmp_path, []))) == 0


def test_split_gives_the_clip_files_back(tmp_path):
    join(tmp_path, CLIPS)
    rows = [LedgerRow(f"id{n}", "s", "ok", key=f"k{n}") for n in range(3)]
    found = {key: b"".join(blocks) for key, blocks in split_codes(tmp_path, rows, {"k0", "k2"})}
    assert found == {f"k{n}": (tmp_path / f"{n}.clip").read_bytes() for n in (0, 2)}


def test_any_damage_is_said_in_one_way(tmp_path):
    path = join(tmp_path, CLIPS)
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            shard = CodesShard(path)
            for number in range(len(shard)):
                shard.clip(number)
        except DamagedError:
            refused += 1
    assert refused > 0


def test_a_cut_file_is_refused(tmp_path):
    path = join(tmp_path, CLIPS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError):
        CodesShard(path)
