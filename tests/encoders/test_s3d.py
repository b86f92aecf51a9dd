import numpy as np
import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders.s3d import pool, space_to_depth
from tests.support.feature_weights import (
    converted,
    light,
    loaded,
    pixels,
    s3d_shapes,
    valued,
    write_state_dict,
)

# Every 256th number of each row, by github.com/antoine77340/S3D_HowTo100M's own module.
GOLDEN = [[0.000625821, 1.21547, 0.0, 0.00537072], [0.00114875, 0.906068, 0.0, 0.000103525]]
NORMS = [74.3957, 74.4164]


def test_rows_equal_the_published_module(tmp_path):
    tensors = valued(s3d_shapes(), seed=2, gain=3.5)
    path = write_state_dict(tensors, tmp_path / "s3d_howto100m.pth")
    encoder = loaded(path, tmp_path, name="s3d")
    # Small frames whose sides do not halve evenly: the padding is in play at every pooling.
    windows = torch.from_numpy(pixels(2, 8, 64, 80, seed=2))
    with torch.no_grad():
        rows = encoder.network(encoder.normalised(windows)).numpy()
    assert rows.shape == (2, 1024)
    assert np.allclose(rows[:, ::256], GOLDEN, rtol=1e-3, atol=1e-4)
    assert np.allclose(np.linalg.norm(rows, axis=1), NORMS, rtol=1e-4)


def test_the_text_tower_is_left_out_by_name_and_nothing_else(tmp_path):
    tensors = light(s3d_shapes())
    path = write_state_dict({**tensors, "textual.fc.bias": torch.zeros(2)}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=r"not the weights of s3d: tensor textual\.fc\.bias"):
        converted(path, tmp_path, name="s3d")


def test_folding_puts_time_before_height_before_width_before_colour():
    x = torch.zeros(1, 3, 2, 2, 2)
    for number, (t, h, w, c) in enumerate(np.ndindex(2, 2, 2, 3)):
        x[0, c, t, h, w] = number
    assert space_to_depth(x).flatten().tolist() == list(range(24))


def test_pooling_pads_after_the_end_and_rounds_lengths_up():
    x = torch.arange(1.0, 17).view(1, 1, 1, 4, 4)
    assert pool(x, (1, 3, 3)).flatten().tolist() == [11, 12, 15, 16]
    odd = torch.arange(1.0, 28).view(1, 1, 3, 3, 3)
    assert pool(odd, (2, 2, 2)).flatten().tolist() == [14, 15, 17, 18, 23, 24, 26, 27]
