import dataclasses

import numpy as np
import pytest

from reelpack.config import encoder_cards as cards
from reelpack.core.errors import UserError
from reelpack.encoders import openai_clip
from reelpack.encoders.feature_encoder import bare_network, check_tensors, without_counts
from tests.support.feature_weights import (
    clip_resnet_shapes,
    clip_vit_shapes,
    converted,
    light,
    loaded,
    narrower,
    neighbours_change_nothing,
    pixels,
    valued,
    write_state_dict,
    write_torchscript,
)

# torch deprecates TorchScript; OpenAI's files stay what they are.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")

# Some numbers of each row, by github.com/openai/CLIP's own module.
VIT = [[3.685, -5.02316, -0.496208, 0.546343], [4.28228, -5.47996, 0.833209, -0.508183]]
RESNET = [[58.5182, -246.621, -746.216, 54.5919], [87.2558, -232.009, -796.945, 31.099]]


@pytest.fixture
def small_vit(monkeypatch):
    """ViT-B/32 with two narrow layers, for speed: everything else is the published one."""
    whole = openai_clip.TIMM_MODELS["clip_vitb32"]
    sizes = {"embed_dim": 128, "depth": 2, "num_heads": 2, "num_classes": 32}
    monkeypatch.setitem(openai_clip.TIMM_MODELS, "clip_vitb32", whole | sizes)
    narrower(monkeypatch, "clip_vitb32", 32)
    return valued(clip_vit_shapes(width=128, layers=2, outputs=32), seed=4)


def test_vit_rows_equal_the_published_module(small_vit, tmp_path):
    path = write_torchscript(small_vit, tmp_path / "ViT-B-32.pt")
    encoder = loaded(path, tmp_path, name="clip_vitb32")
    rows = encoder.encode(pixels(2, 224, 224, seed=4))
    assert rows.shape == (2, 32)
    assert np.allclose(rows[:, ::8], VIT, rtol=1e-4, atol=1e-4)
    assert neighbours_change_nothing(encoder, 224, 224)


def test_resnet_rows_equal_the_published_module(monkeypatch, tmp_path):
    """With the layers of CLIP's smaller RN50, for speed: timm names both alike."""
    smaller = {"model_name": "resnet50_clip", "num_classes": 1024}
    monkeypatch.setitem(openai_clip.TIMM_MODELS, "clip_rn50x4", smaller)
    card = dataclasses.replace(cards.CARDS["clip_rn50x4"], width=1024, side=224)
    monkeypatch.setitem(cards.CARDS, "clip_rn50x4", card)
    shapes = clip_resnet_shapes(width=64, blocks=(3, 4, 6, 3), positions=50, outputs=1024)
    path = write_torchscript(valued(shapes, seed=5), tmp_path / "RN50.pt")
    rows = loaded(path, tmp_path, name="clip_rn50x4").encode(pixels(2, 224, 224, seed=4))
    assert rows.shape == (2, 1024)
    assert np.allclose(rows[:, ::256], RESNET, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [("clip_vitb32", clip_vit_shapes()), ("clip_rn50x4", clip_resnet_shapes())],
)
def test_the_published_names_fit(monkeypatch, tmp_path, name, shapes):
    """At full size, names and shapes alone."""
    monkeypatch.setattr(openai_clip, "read_torchscript", lambda path: light(shapes))
    tensors = openai_clip.read(tmp_path, name=name)
    check_tensors(bare_network(name), without_counts(tensors), name=name, where=tmp_path)


def test_the_other_tower_is_refused(small_vit, tmp_path):
    path = write_torchscript(small_vit, tmp_path / "ViT-B-32.pt")
    with pytest.raises(UserError, match=r"not the weights of clip_rn50x4: tensor visual\.attnpool"):
        converted(path, tmp_path, name="clip_rn50x4")


def test_a_tower_of_another_size_is_refused(small_vit, tmp_path):
    wider = valued(clip_vit_shapes(width=192, layers=2, outputs=32))
    path = write_torchscript(wider, tmp_path / "ViT-L.pt")
    with pytest.raises(UserError, match=r"positional_embedding is \(50, 192\), expected \(50, 128"):
        converted(path, tmp_path, name="clip_vitb32")
    deeper = valued(clip_vit_shapes(width=128, layers=3, outputs=32))
    path = write_torchscript(deeper, tmp_path / "deep.pt")
    with pytest.raises(UserError, match=r"tensor blocks\.2\..* expected no such tensor"):
        converted(path, tmp_path / "deep", name="clip_vitb32")


def test_a_state_dict_is_no_archive(small_vit, tmp_path):
    path = write_state_dict(small_vit, tmp_path / "vit.pth")
    with pytest.raises(UserError, match="original: not a TorchScript archive"):
        converted(path, tmp_path, name="clip_vitb32")
