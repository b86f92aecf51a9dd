"""What planning knows of formats: each fits some recipe, and says which."""

import pytest

from reelpack.config.encoder_cards import CARDS
from reelpack.config.pack_rules import FORMAT_RULES, check_format, get_kind
from reelpack.config.schema import check
from reelpack.core.errors import UserError


def recipe(name, encoder=None, **pack):
    frames = {"violet": 4, "jpeg": 75}
    return {"frames": frames, "crop": None, "encoder": encoder, "pack": {"format": name, **pack}}


def test_a_recipe_without_an_encoder_gives_frames():
    assert get_kind(None) == "frames"
    assert {get_kind({"name": name}) for name in CARDS} == {"tokens", "features"}


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


def test_a_key_has_the_same_values_in_every_format():
    seen = {}
    for rules in FORMAT_RULES.values():
        for name, key in rules.keys.items():
            assert seen.setdefault(name, key.values) == key.values


def test_the_schema_of_recipes_is_made_of_the_rows():
    whole = {"frames": {"every": True}, "pack": {"format": "hdf5", "image": "webp", "quality": 5}}
    assert check("recipe", whole, where="r")["pack"] == whole["pack"]
    for name, rules in FORMAT_RULES.items():
        usual = {key: spec.default for key, spec in rules.keys.items() if spec.default is not None}
        usual = {key: list(v) if isinstance(v, tuple) else v for key, v in usual.items()}
        check("recipe", {**whole, "pack": {"format": name, **usual}}, where="r")
    with pytest.raises(UserError, match=r"^r: pack\.format: 'zip' is not allowed; one of: vimpac"):
        check("recipe", {**whole, "pack": {"format": "zip"}}, where="r")
    with pytest.raises(UserError, match=r"^r: pack\.quality: 101 is greater than .*Pillow"):
        check("recipe", {**whole, "pack": {"format": "hdf5", "quality": 101}}, where="r")
    with pytest.raises(
        UserError, match=r"^r: pack: unknown key 'colour'; allowed: class_folders, "
    ):
        check("recipe", {**whole, "pack": {"format": "hdf5", "colour": 1}}, where="r")
