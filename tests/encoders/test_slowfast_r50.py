import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders import slowfast_r50
from reelpack.encoders.feature_encoder import bare_network, check_tensors
from reelpack.encoders.slowfast_r50 import SlowFast, name_parameter, read, slow_frames
from tests.support.feature_weights import (
    light,
    loaded,
    narrower,
    pixels,
    slowfast_blob_shapes,
    valued,
    write_caffe2,
)

# Every 144th number of each row, and the rows' norms, by PySlowFast's own module.
GOLDEN = [[19.1591, 2.14586, 141.045, 10.8989], [18.2344, 2.0139, 148.743, 11.9581]]
NORMS = [2469.38, 2486.91]


def test_rows_equal_the_published_module(tmp_path, monkeypatch):
    """With a quarter of the channels, for speed."""
    monkeypatch.setattr(slowfast_r50, "network", lambda name: SlowFast(width=16))
    narrower(monkeypatch, "slowfast_r50", 576)
    blobs = valued(slowfast_blob_shapes(width=16), seed=3)
    path = write_caffe2(blobs, tmp_path / "SLOWFAST_8x8_R50.pkl")
    encoder = loaded(path, tmp_path, name="slowfast_r50")
    windows = torch.from_numpy(pixels(2, 32, 64, 64, seed=3))
    with torch.no_grad():
        rows = encoder.network(encoder.normalised(windows)).numpy()
    assert rows.shape == (2, 576)
    assert np.allclose(rows[:, ::144], GOLDEN, rtol=1e-4)
    assert np.allclose(np.linalg.norm(rows, axis=1), NORMS, rtol=1e-4)


def test_the_slow_pathway_s_frames():
    numbers = torch.arange(32.0).view(1, 1, 32, 1, 1)
    assert slow_frames(numbers).flatten().tolist() == [0, 4, 8, 13, 17, 22, 26, 31]


@pytest.mark.parametrize(
    ("blob", "name"),
    [
        ("conv1_w", "slow.conv1.conv.weight"),
        ("t_conv1_w", "fast.conv1.conv.weight"),
        ("res_conv1_bn_riv", "slow.conv1.bn.running_var"),
        ("t_res_conv1_bn_s", "fast.conv1.bn.weight"),
        ("res4_4_branch2c_bn_s", "slow.res4.4.branch2c.bn.weight"),
        ("t_res5_0_branch1_w", "fast.res5.0.branch1.conv.weight"),
        ("t_pool1_subsample_w", "fuse.0.conv.weight"),
        ("t_pool1_subsample_bn_rm", "fuse.0.bn.running_mean"),
        ("t_res2_2_branch2c_bn_subsample_w", "fuse.1.conv.weight"),
        ("t_res4_5_branch2c_bn_subsample_bn_b", "fuse.3.bn.bias"),
    ],
)
def test_blob_names(blob, name):
    assert name_parameter(blob, where=Path("x.pkl")) == name


@pytest.mark.parametrize(
    "blob", ["nonlocal_conv3_1_theta_w", "res2_0_branch2a_s", "conv1_bn_w", ""]
)
def test_blobs_of_other_layers_are_refused(blob):
    with pytest.raises(UserError, match=r"x\.pkl: blob .* belongs to no layer"):
        name_parameter(blob, where=Path("x.pkl"))


@pytest.mark.parametrize("held", [{"model_state": {}}, {"blobs": [1]}, [1, 2]])
def test_a_pickle_without_blobs_is_refused(tmp_path, held):
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(held, protocol=2))
    with pytest.raises(UserError, match=r"odd\.pkl: holds no Caffe2 blobs"):
        read(path, name="slowfast_r50")


def test_the_published_names_fit(tmp_path, monkeypatch):
    blobs = light(slowfast_blob_shapes())
    monkeypatch.setattr(slowfast_r50, "read_pickle", lambda path: {"blobs": blobs})
    tensors = read(tmp_path, name="slowfast_r50")
    check_tensors(bare_network("slowfast_r50"), tensors, name="slowfast_r50", where=tmp_path)


def test_missing_and_doubled_blobs_are_named(tmp_path, monkeypatch):
    blobs = light(slowfast_blob_shapes())
    monkeypatch.setattr(slowfast_r50, "read_pickle", lambda path: {"blobs": blobs})
    del blobs["t_res3_3_branch2a_bn_rm"]
    network, tensors = bare_network("slowfast_r50"), read(tmp_path, name="slowfast_r50")
    with pytest.raises(
        UserError, match=r"tensor fast\.res3\.3\.branch2a\.bn\.running_mean is miss"
    ):
        check_tensors(network, tensors, name="slowfast_r50", where=tmp_path)
    blobs["res_conv1_w"] = blobs["conv1_w"]
    with pytest.raises(UserError, match="'res_conv1_w' is there under another name too"):
        read(tmp_path, name="slowfast_r50")
