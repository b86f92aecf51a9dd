import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.lvt.transformer.model_files import (
    load_model,
    make_initial_model,
    save_model,
)
from tests.lvt.transformer import tiny


def test_models_come_back_and_equal_ones_give_equal_bytes(tmp_path):
    model = tiny.model(tiny.BOTH)
    for name in "ab":
        save_model(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = load_model(tmp_path / "a")
    assert back.sizes == tiny.BOTH
    assert not back.training
    assert all(torch.equal(t, back.state_dict()[n]) for n, t in model.state_dict().items())


def test_other_files_are_user_errors(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="holds no video transformer"):
        load_model(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="holds no video transformer"):
        load_model(path)


def test_initial_models_depend_on_the_seed_alone():
    first, again, other = (make_initial_model(tiny.BOTH, seed=seed) for seed in (1, 1, 2))
    name = "ch_predictor.P.0.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
    assert not first.state_dict()["decoder.conv.conv.bias"].any()
