"""Rows are frames or windows of them, filled up with black; batches have one shape."""

import numpy as np
import pytest
from safetensors.numpy import load

from reelpack.core.errors import ClipError
from reelpack.encode.rows import ClipRows, build_row
from tests.support.averages import Averages


def frame(value, height=4, width=6):
    return np.full((height, width, 3), value, dtype=np.uint8)


def encoded(encoder, sets):
    rows = ClipRows(encoder, len(sets))
    for crops in zip(*sets, strict=True):
        rows.add(crops)
    return [load(rows.clip_bytes())[f"{number:02d}"] for number in range(len(sets))]


def test_a_row_is_a_frame_or_a_window_that_is_filled_up_with_black():
    one = frame(5)
    assert build_row([one], 1) is one
    window = build_row([frame(1), frame(2)], 3)
    assert window.shape == (3, 4, 6, 3)
    assert window[:, 0, 0, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_single_frames(count):
    encoder = Averages()
    (rows,) = encoded(encoder, [[frame(n + 1) for n in range(count)]])
    assert rows[:, 0].tolist() == list(range(1, count + 1))
    assert encoder.shapes == [(4, 4, 6, 3)] * -(-count // 4)


@pytest.mark.parametrize("count", [1, 3, 6, 7, 12, 13])
def test_windows(count):
    encoder = Averages(window=3, batch_size=2)
    (rows,) = encoded(encoder, [[frame(3 * (n + 1)) for n in range(count)]])
    values = [3 * (n + 1) for n in range(count)] + [0] * (-count % 3)
    assert rows[:, 0].tolist() == [sum(values[n : n + 3]) / 3 for n in range(0, len(values), 3)]
    assert set(encoder.shapes) == {(2, 3, 4, 6, 3)}


def test_crop_sets_may_differ_in_size():
    small, large = [frame(n + 1, 2, 2) for n in range(5)], [frame(n + 9) for n in range(5)]
    encoder = Averages()
    found = encoded(encoder, [small, large])
    assert [rows[:, 0].tolist() for rows in found] == [[1, 2, 3, 4, 5], [9, 10, 11, 12, 13]]
    assert {shape[1:3] for shape in encoder.shapes} == {(2, 2), (4, 6)}


def test_memory_holds_one_batch():
    encoder = Averages(window=2, batch_size=2)
    rows = ClipRows(encoder, 1)
    for number in range(1, 10):
        rows.add([frame(number)])
        assert len(encoder.shapes) == number // 4


def test_clips_that_cannot_be_encoded():
    rows = ClipRows(Averages(), 1)
    with pytest.raises(ClipError, match="too_short: no frame in this clip"):
        rows.clip_bytes()
    rows.add([frame(1)])
    with pytest.raises(ClipError, match="encode: frame size changes inside the clip"):
        rows.add([frame(1, 5, 6)])
