import re

import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.lvt.transformer.model_files import (
    from_published,
    initial_model,
    load_model,
    load_published,
    save_model,
    save_published,
    to_published,
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


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_published_form_comes_back(tmp_path, prefix):
    model = tiny.model(tiny.SPATIAL)
    state = to_published(model)
    extra = set(state) - set(model.state_dict())
    assert {re.sub(r"\d+", "0", name) for name in extra} == {
        "encoder.positional_encoder.inv_timescales",
        "decoder.positional_encoder.inv_timescales",
        *(f"encoder.block_local_attention.0.{name}" for name in ("dt", "dh", "dw")),
        *(f"decoder.block_local_attention.0.{name}" for name in ("dt", "dh", "dw", "mask")),
    }
    path = tmp_path / "model_final.pth"
    torch.save({"model": {prefix + k: v for k, v in state.items()}, "iteration": 599999}, path)
    back = load_published(path, tiny.SPATIAL)
    assert all(torch.equal(t, back.state_dict()[n]) for n, t in model.state_dict().items())
    assert from_published(state).keys() == model.state_dict().keys()


def test_checkpoints_of_other_sizes_are_user_errors(tmp_path):
    path = tmp_path / "model_final.pth"
    save_published(tiny.model(tiny.SPATIAL), path)
    assert load_published(path, tiny.SPATIAL).sizes == tiny.SPATIAL
    with pytest.raises(UserError, match=r"no video transformer of these sizes.*size mismatch"):
        load_published(path, tiny.BOTH)


def test_other_files_are_user_errors(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="holds no video transformer"):
        load_model(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="holds no video transformer"):
        load_model(path)


def test_initial_models_depend_on_the_seed_alone():
    first, again, other = (initial_model(tiny.BOTH, seed=seed) for seed in (1, 1, 2))
    name = "ch_predictor.P.0.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
    assert not first.state_dict()["decoder.conv.conv.bias"].any()
