import numpy as np
import pytest

from reelpack.core.errors import UserError
from reelpack.encoders import resnext101_3d
from reelpack.encoders.feature_encoder import bare_network, check_tensors
from reelpack.encoders.resnext101_3d import ResNeXt3D, read
from tests.support.feature_weights import (
    converted,
    light,
    loaded,
    pixels,
    resnext_shapes,
    valued,
    write_state_dict,
)

# Every 512th number of each row, by github.com/kenshohara/3D-ResNets-PyTorch's own module.
GOLDEN = [
    [0.0239193, 0.00637823, 0.00894071, 0.0507418],
    [0.0393555, 0.00677873, 0.00425266, 0.0385002],
]


def test_rows_equal_the_published_module(tmp_path, monkeypatch):
    """With fewer blocks per stage, for speed."""
    blocks = (1, 1, 2, 1)
    monkeypatch.setattr(resnext101_3d, "network", lambda name: ResNeXt3D(blocks=blocks))
    tensors = valued(resnext_shapes(blocks=blocks), seed=1)
    path = write_state_dict(tensors, tmp_path / "resnext101.pth")
    windows = pixels(2, 16, 112, 112, seed=1)
    windows[1, 5:] = 0
    rows = loaded(path, tmp_path, name="resnext101_3d").encode(windows)
    assert rows.shape == (2, 2048)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert np.allclose(rows[:, ::512], GOLDEN, rtol=1e-4, atol=1e-6)


def test_a_training_checkpoint_will_do_too(tmp_path):
    tensors = light(resnext_shapes())
    named = {f"module.{name}": tensor for name, tensor in tensors.items()}
    held = {"epoch": 1, "arch": "resnext-101", "state_dict": named}
    found = read(write_state_dict(held, tmp_path / "save_200.pth"), name="resnext101_3d")
    assert found.keys() == tensors.keys() - {"fc.weight", "fc.bias"}
    check_tensors(bare_network("resnext101_3d"), found, name="resnext101_3d", where=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("layer3.22.bn2.running_var"), r"layer3\.22\.bn2\.running_var is missing"),
        (lambda t: t.update({"layer3.23.bn1.weight": t["bn1.weight"]}), r"expected no such tensor"),
        (lambda t: t.update({"conv1.weight": t["bn1.weight"]}), r"conv1\.weight is \(64,\)"),
    ],
)
def test_other_names_and_shapes_are_refused(tmp_path, change, message):
    changed = light(resnext_shapes())
    change(changed)
    path = write_state_dict(changed, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=f"not the weights of resnext101_3d: tensor .*{message}"):
        converted(path, tmp_path, name="resnext101_3d")
