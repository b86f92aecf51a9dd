import importlib

import pytest

from reelpack.config.encoder_cards import CARDS, encoder_card
from reelpack.config.weights_registry import load_registry
from reelpack.core.errors import UserError
from reelpack.encoders.weights import KINDS
from tests.support.helpers import ROOT

FEATURES = [name for name, card in CARDS.items() if card.width is not None]


# What HERO's extractor gives, and the two models beside it.
@pytest.mark.parametrize(
    ("name", "width", "window", "side"),
    [
        ("resnet152", 2048, 1, None),
        ("resnext101_3d", 2048, 16, 112),
        ("slowfast_r50", 2304, 32, 224),
        ("s3d", 1024, 32, 224),
        ("clip_vitb32", 512, 1, 224),
        ("clip_rn50x4", 640, 1, 288),
        ("dinov2_vitb14", 768, 1, 224),
        ("siglip2_b16", 768, 1, 224),
    ],
)
def test_published_geometry(name, width, window, side):
    card = encoder_card(name)
    assert (card.width, card.window, card.side) == (width, window, side)


def test_only_hero_s_resnets_have_unit_length():
    assert {name for name in CARDS if CARDS[name].unit_length} == {"resnet152", "resnext101_3d"}


@pytest.mark.parametrize("name", FEATURES)
def test_a_card_has_a_file_and_weights(name):
    module = importlib.import_module(f"reelpack.encoders.{CARDS[name].module}")
    assert callable(module.network)
    assert callable(module.read)
    assert name in KINDS
    assert name in load_registry(ROOT / "weights.tsv")


@pytest.mark.parametrize("name", ["abacus", None, 7, ["s3d"]])
def test_unknown_names_say_what_is_allowed(name):
    with pytest.raises(UserError, match=r"encoder\.name: .* allowed: dalle, vqvae, resnet152"):
        encoder_card(name)
