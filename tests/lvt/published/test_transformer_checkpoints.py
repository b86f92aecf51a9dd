import re

import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.lvt.published.transformer_checkpoints import (
    load_published,
    rename_from_published,
    rename_to_published,
    save_published,
)
from tests.lvt.transformer import tiny


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_published_form_comes_back(tmp_path, prefix):
    model = tiny.model(tiny.SPATIAL)
    state = rename_to_published(model)
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
    assert rename_from_published(state).keys() == model.state_dict().keys()


def test_checkpoints_of_other_sizes_are_user_errors(tmp_path):
    path = tmp_path / "model_final.pth"
    save_published(tiny.model(tiny.SPATIAL), path)
    assert load_published(path, tiny.SPATIAL).sizes == tiny.SPATIAL
    with pytest.raises(UserError, match=r"not a video transformer of these sizes.*size mismatch"):
        load_published(path, tiny.BOTH)
