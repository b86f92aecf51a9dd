"""Which key changes which stage's result."""

import pytest

from reelpack.config.recipes import products
from reelpack.config.settings import Settings
from reelpack.config.stage_results import (
    describe_crop,
    describe_encoding,
    describe_frames,
    describe_pack,
)
from reelpack.core.results import canonical
from tests.support.configs import RECIPE, config, features, mine, own_model, own_recipe, recipes
from tests.support.helpers import ROOT

CHANGES = {
    "description": ({"description": "other"}, set()),
    "mode": ({"mode": "staged"}, set()),
    "pack": ({"pack": {"format": "lvt_codes", "class_folders": True}}, {"pack"}),
    "scaler": ({"frames": {"scaler": "bilinear"}}, {"frames", "crop", "encode", "pack"}),
    "fps": ({"frames": {"fps": 3}}, {"frames", "crop", "encode", "pack"}),
    "first": ({"frames": {"first": 3}}, {"frames", "crop", "encode", "pack"}),
    "position": ({"crop": {"position": "top"}}, {"crop", "encode", "pack"}),
    "hflip": ({"crop": {"hflip": True}}, {"crop", "encode", "pack"}),
    "model": ({"encoder": {"model": "other"}}, {"encode", "pack"}),
    "same fps": ({"frames": {"fps": "4/2"}}, set()),
}


def stage_results(settings):
    product = products(settings.recipe("x"))[0]
    return {
        "frames": canonical(describe_frames(product)),
        "crop": canonical(describe_crop(product)),
        "encode": canonical(describe_encoding(settings, "x")),
        "pack": canonical(describe_pack(settings, "demo", "all", "x")),
    }


@pytest.mark.parametrize("name", CHANGES)
def test_a_key_changes_just_the_stages_that_depend_on_it(name):
    change, changed = CHANGES[name]
    models = {"other": {"extends": "vqvae_demo", "training": {"steps": 7}}}
    before = stage_results(Settings(own_recipe() | {"models": models}, ROOT))
    card = {"x": {"extends": "base", **change}, "base": RECIPE}
    after = stage_results(Settings(recipes(**card) | {"models": models}, ROOT))
    assert {stage for stage in before if before[stage] != after[stage]} == changed


def test_the_usual_way_to_trim_is_no_part_of_its_result():
    def key(given):
        (data,) = Settings(given, ROOT).datasets.values()
        return data.trim_result()

    plain = {"stage": "trim_shard", "version": 2}
    assert key(mine()) == key(mine(trim="virtual")) == plain
    assert key(mine(trim="exact")) == {**plain, "trim": "exact"}
    published = {"recipes": ["vimpac_256"]}
    assert key(config({"youcook2": published})) == plain
    assert key(config({"kinetics400": published})) == {**plain, "windows": "cut"}
    own = config({"kinetics400": {**published, "videos": "list.csv"}})
    assert key(own) == plain


def test_frames_mode_changes_no_result():
    plain, forced = (Settings(own_recipe() | m, ROOT) for m in ({}, {"frames_mode": "staged"}))
    assert forced.recipe("x")["mode"] == "staged"
    assert stage_results(plain) == stage_results(forced)


def test_the_weights_checksum_is_part_of_the_result_and_their_mirror_is_not():
    def key(**override):
        given = mine() | {"weights": {"dalle_encoder": override}}
        return canonical(describe_encoding(Settings(given, ROOT), "vimpac_256"))

    some, other = "a" * 64, "b" * 64
    assert key(sha256=some) != key(sha256=other)
    assert (
        key(sha256=some) == key(sha256=some, url="https://mirror/x") == key(sha256=some, path="/x")
    )


def test_max_failed_and_shards_change_the_pack_alone():
    one = Settings(mine(), ROOT)
    two = Settings(mine(shards=2) | {"max_failed": 0.5}, ROOT)
    assert describe_encoding(one, "vimpac_256") == describe_encoding(two, "vimpac_256")
    packs = [describe_pack(s, "mine", "all", "vimpac_256") for s in (one, two)]
    assert packs[0] != packs[1]


def test_the_models_training_changes_what_is_encoded_with_it():
    plain = describe_encoding(Settings(config(), ROOT), "lvt_codes_demo")
    longer = describe_encoding(Settings(own_model(training={"seed": 1}), ROOT), "lvt_codes_demo")
    renamed = describe_encoding(Settings(own_model(description="x"), ROOT), "lvt_codes_demo")
    assert plain != longer
    assert plain == renamed


def test_the_group_and_the_dtype_change_no_features():
    plain = Settings(features(), ROOT)
    for change in ({"group": "g"}, {"pack": {"format": "hero_npz", "dtype": "float32"}}):
        assert describe_encoding(Settings(features(**change), ROOT), "x") == describe_encoding(
            plain, "x"
        )
    grouped = Settings(features(group="g"), ROOT)
    assert describe_pack(grouped, "demo", "all", "x") == describe_pack(plain, "demo", "all", "x")
