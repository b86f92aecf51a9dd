"""What planning knows of formats: each fits some recipe, and says which."""

import pytest

from reelpack.config.encoder_cards import CARDS
from reelpack.config.pack_rules import FORMAT_RULES, check_format, kind_of
from reelpack.core.errors import UserError


def recipe(name, encoder=None, **pack):
    frames = {"violet": 4, "jpeg": 75}
    return {"frames": frames, "crop": None, "encoder": encoder, "pack": {"format": name, **pack}}


def test_a_recipe_without_an_encoder_gives_frames():
    assert kind_of(None) == "frames"
    assert {kind_of({"name": name}) for name in CARDS} == {"tokens", "features"}


@pytest.mark.parametrize("name", FORMAT_RULES)
def test_a_format_takes_what_it_says_and_nothing_else(name):
    takes = FORMAT_RULES[name].takes
    if "frames" in takes:
        check_format(recipe(name), crop_sets=1, where="r")
    else:
        with pytest.raises(UserError, match=f"{name} takes .* and the recipe gives frames"):
            check_format(recipe(name), crop_sets=1, where="r")
    if "tokens" in takes:
        check_format(recipe(name, {"name": "dalle"}), crop_sets=1, where="r")
    else:
        with pytest.raises(UserError, match=f"{name} takes .* and the recipe gives tokens"):
            check_format(recipe(name, {"name": "dalle"}), crop_sets=1, where="r")


def test_quality_goes_with_lossy_pictures():
    check_format(recipe("hdf5", image="webp", quality=5), crop_sets=3, where="r")
    with pytest.raises(UserError, match=r"^r: pack\.quality: only for image jpeg and webp"):
        check_format(recipe("hdf5", image="png", quality=5), crop_sets=1, where="r")
