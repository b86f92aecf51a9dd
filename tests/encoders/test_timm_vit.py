import numpy as np
import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders import timm_vit
from reelpack.encoders.feature_encoder import bare_network, check_tensors
from tests.support.feature_weights import (
    converted,
    light,
    loaded,
    narrower,
    neighbours_change_nothing,
    pixels,
    valued,
    vit_shapes,
    write_safetensors,
)

DINO = {"positions": 257, "patch": 14, "pooled": False}
SIGLIP = {"positions": 196, "patch": 16, "pooled": True}
# Every 16th number of each row: DINOv2 by github.com/facebookresearch/dinov2's own module, SigLIP by
# the one of transformers.
GOLDEN = {
    "dinov2_vitb14": [
        [1.74919, 1.39067, 0.638126, 0.0158128],
        [1.34898, 1.02303, 0.463387, 0.180059],
    ],
    "siglip2_b16": [
        [0.706316, 0.119883, -1.39334, 3.88565],
        [0.629745, -0.0828768, -1.59058, 3.51379],
    ],
}


@pytest.fixture
def small(monkeypatch):
    """Both models with two narrow layers, for speed: everything else is the published one."""
    for name in GOLDEN:
        sizes = timm_vit.TIMM_MODELS[name] | {"embed_dim": 64, "depth": 2, "num_heads": 2}
        monkeypatch.setitem(timm_vit.TIMM_MODELS, name, sizes)
        narrower(monkeypatch, name, 64)


@pytest.mark.parametrize(
    ("name", "kind", "seed"), [("dinov2_vitb14", DINO, 6), ("siglip2_b16", SIGLIP, 7)]
)
def test_rows_equal_the_published_module(small, tmp_path, name, kind, seed):
    tensors = valued(vit_shapes(width=64, layers=2, **kind), seed=seed)
    path = write_safetensors(tensors, tmp_path / "model.safetensors")
    encoder = loaded(path, tmp_path / "r", name=name)
    rows = encoder.encode(pixels(2, 224, 224, seed=seed))
    assert rows.shape == (2, 64)
    assert np.allclose(rows[:, ::16], GOLDEN[name], rtol=1e-4, atol=1e-4)
    assert neighbours_change_nothing(encoder, 224, 224)


@pytest.mark.parametrize(("name", "kind"), [("dinov2_vitb14", DINO), ("siglip2_b16", SIGLIP)])
def test_the_published_names_fit(tmp_path, name, kind):
    """At full size, names and shapes alone."""
    tensors = light(vit_shapes(width=768, layers=12, **kind))
    check_tensors(bare_network(name), tensors, name=name, where=tmp_path)


def test_positions_of_larger_pictures_are_resampled(small, tmp_path):
    """DINOv2's are published for 37x37 patches; a plane stays a plane when it is resampled."""
    tensors = valued(vit_shapes(width=64, layers=2, **DINO | {"positions": 37 * 37 + 1}))
    rows = torch.linspace(-1, 1, 37).view(37, 1, 1).expand(37, 37, 64)
    tensors["pos_embed"][:, 1:] = rows.reshape(1, -1, 64)
    path = write_safetensors(tensors, tmp_path / "model.safetensors")
    encoder = loaded(path, tmp_path / "r", name="dinov2_vitb14")
    found = encoder.network.pos_embed[0, 1:].view(16, 16, 64)
    expected = (torch.arange(16) + 0.5) * 37 / 16 - 0.5
    timm_s = timm_vit.timm.models.vision_transformer.checkpoint_filter_fn(tensors, encoder.network)
    assert torch.equal(encoder.network.pos_embed, timm_s["pos_embed"])
    assert torch.equal(encoder.network.pos_embed[0, 0], tensors["pos_embed"][0, 0])
    assert torch.allclose(found[2:-2, 3, 5], (expected / 18 - 1)[2:-2], atol=1e-3)
    assert torch.allclose(found[:, 0], found[:, 9], atol=1e-5)


def test_other_files_are_refused(small, tmp_path):
    path = tmp_path / "original"
    path.write_bytes(b"no safetensors")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        converted(path, tmp_path / "a", name="dinov2_vitb14")
    pooled = valued(vit_shapes(width=64, layers=2, **SIGLIP))
    path = write_safetensors(pooled, tmp_path / "siglip.safetensors")
    with pytest.raises(UserError, match="not the weights of dinov2_vitb14: tensor attn_pool"):
        converted(path, tmp_path / "b", name="dinov2_vitb14")
