"""Batches are filled across clips, of each size by themselves, and give what each clip gives alone."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from reelpack.core.errors import ClipError
from reelpack.encode import device_batches
from reelpack.encode.device_batches import DeviceBatches, PixelWriter, long_mark
from reelpack.encode.rows import ClipRows
from tests.support.averages import Averages


def frames(clip, count, height=4, width=6):
    noise = np.random.default_rng([clip, count])
    return [noise.integers(1, 255, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def written(folder, name, *sets):
    target = folder / f"{name}.clip"
    writer = PixelWriter(target, len(sets))
    for crops in zip(*sets, strict=True):
        writer.add(crops)
    writer.close()
    return target


def run(encoder, clips):
    batches = DeviceBatches(encoder)
    for target, sets in clips:
        yield from batches.add(target, sets)
    yield from batches.finish()


def alone(encoder, *sets):
    rows = ClipRows(encoder, len(sets))
    for crops in zip(*sets, strict=True):
        rows.add(crops)
    return rows.clip_bytes()


@pytest.mark.parametrize("window", [1, 3])
def test_clips_of_all_sizes_get_what_they_get_alone(tmp_path, window):
    sizes = [(4, 6), (6, 4), (4, 6), (8, 8), (6, 4), (4, 6)]
    videos = {
        f"v{n}": [frames(n, 2 + 3 * n, *size), frames(n + 50, 2 + 3 * n, 3, 3)]
        for n, size in enumerate(sizes)
    }
    clips = [(written(tmp_path, name, *sets), 2) for name, sets in videos.items()]
    encoder = Averages(window=window)
    found = list(run(encoder, clips))
    assert sorted(target.stem for target, error in found if error is None) == sorted(videos)
    for name, sets in videos.items():
        wanted = alone(Averages(window=window), *sets)
        assert (tmp_path / f"{name}.clip").read_bytes() == wanted
    rows = sum(-(-len(sets[0]) // window) for sets in videos.values())
    assert len(encoder.shapes) < 2 * rows
    assert {shape[0] for shape in encoder.shapes} == {4}
    assert not list(tmp_path.glob("*.pixels"))


def test_a_bad_row_fails_its_clip_alone(tmp_path):
    black = [np.zeros((4, 6, 3), np.uint8)]
    videos = {"a": frames(1, 3), "bad": [*frames(2, 2), *black, *frames(3, 2)], "b": frames(4, 4)}
    clips = [(written(tmp_path, name, one), 1) for name, one in videos.items()]
    found = {target.stem: error for target, error in run(Averages(), clips)}
    assert found["a"] is None
    assert found["b"] is None
    assert str(found["bad"]) == "encode: a black row"
    assert (tmp_path / "b.clip").read_bytes() == alone(Averages(), videos["b"])
    assert not (tmp_path / "bad.clip").exists()
    assert not list(tmp_path.glob("*.pixels"))


def test_batches_shrink_when_memory_runs_out(tmp_path, capsys):
    clip = written(tmp_path, "a", frames(1, 11))
    encoder = Averages(batch_size=8, memory_rows=3)
    assert [error for _, error in run(encoder, [(clip, 1)])] == [None]
    assert encoder.batch_size == 2
    assert "does not hold a batch of 8; going on with 4" in capsys.readouterr().out
    assert clip.read_bytes() == alone(Averages(), frames(1, 11))


def test_a_long_clip_leaves_a_mark_and_no_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(device_batches, "PIXEL_BYTES", 4 * 6 * 3 * 2)
    assert not long_mark(written(tmp_path, "short", frames(1, 2))).exists()
    target = written(tmp_path, "long", frames(1, 9))
    assert long_mark(target).exists()
    assert [path.name for path in tmp_path.glob("*.pixels")] == ["short.00.pixels"]


def test_clips_that_cannot_be_written(tmp_path):
    writer = PixelWriter(tmp_path / "a.clip", 1)
    with pytest.raises(ClipError, match="too_short"):
        writer.close()
    writer.add(frames(1, 1))
    with pytest.raises(ClipError, match="frame size changes"):
        writer.add(frames(1, 1, 5, 5))
    writer.drop()
    assert list(tmp_path.iterdir()) == []


def test_results_are_whole_clip_files(tmp_path):
    target = written(tmp_path, "a", frames(1, 5))
    assert [error for _, error in run(Averages(), [(target, 1)])] == [None]
    assert load_file(target)["00"].shape == (5, 3)
