"""config.yaml and cards, resolved."""

import re

import pytest

from reelpack.config.encoder_cards import CARDS
from reelpack.config.recipes import products
from reelpack.config.schema import load_yaml
from reelpack.config.settings import RESERVED, Settings
from reelpack.config.stage_results import (
    describe_encoding,
    describe_frames,
    describe_model,
    describe_pack,
)
from reelpack.core.errors import UserError
from reelpack.lists.fingerprints import watched_signature
from tests.support.configs import config, features, frame_recipe, mine, recipes
from tests.support.helpers import ROOT


def test_every_shipped_recipe_and_model_can_be_built():
    names = [path.stem for path in sorted((ROOT / "recipes").glob("*.yaml"))]
    learned_from = {
        name: {"recipes": ["vimpac_256"]} for name in ("bair", "bair_toy", "kinetics600")
    }
    settings = Settings(config({"demo": {"recipes": names}, **learned_from}), ROOT)
    for name in names:
        assert settings.recipe(name)["frames"]
        made_from = describe_pack(settings, "demo", "all", name)
        assert ("encoded" in made_from) == (settings.recipe(name)["encoder"] is not None)
    for path in (ROOT / "models").glob("*.yaml"):
        learned = {load_yaml(path)["dataset"]: {"recipes": ["vimpac_256"]}}
        assert describe_model(Settings(config(learned), ROOT), path.stem)["version"] >= 1
    Settings(load_yaml(ROOT / "config.yaml"), ROOT)


def test_rules_names_are_reserved():
    files = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    text = "\n".join(path.read_text() for path in files)
    names = set(re.findall(r"^(?:rule|checkpoint) (\w+):", text, flags=re.MULTILINE))
    assert "encode_shard" in names
    assert names <= RESERVED


def test_the_schema_knows_the_encoders():
    schema = load_yaml(ROOT / "rules" / "schemas" / "recipe.schema.yaml")["properties"]
    assert set(schema["encoder"]["properties"]["name"]["enum"]) == set(CARDS)


@pytest.mark.parametrize("mode", ["recipe", "streamed", "staged"])
def test_a_recipe_without_an_encoder_is_streamed_unless_asked_and_its_pack_the_same(mode):
    given = frame_recipe(format="frame_folders") | {"frames_mode": mode}
    settings = Settings(given, ROOT)
    assert settings.recipe("x")["mode"] == ("staged" if mode == "staged" else "streamed")
    assert settings.models == []
    (pixels,) = describe_pack(settings, "demo", "all", "x")["pixels"]
    assert pixels == describe_frames(products(settings.recipe("x"))[0])


def test_an_extending_recipe_may_drop_the_encoder():
    change = {"extends": "vimpac_256", "encoder": None, "pack": {"format": "frame_folders"}}
    settings = Settings(recipes(x=change), ROOT)
    (pixels,) = describe_pack(settings, "demo", "all", "x")["pixels"]
    assert pixels["stage"] == "crop_frames"


def test_extends_changes_only_what_it_names():
    settings = Settings(
        recipes(x={"extends": "vimpac_256", "frames": {"uniform": 8}, "crop": {"hflip": True}}),
        ROOT,
    )
    recipe = settings.recipe("x")
    assert recipe["frames"] == {"uniform": 8, "shorter_side": 320, "scaler": "bicubic"}
    assert recipe["crop"] == {"size": 256, "position": "center", "hflip": True}


def test_a_shipped_recipe_can_be_changed_under_its_own_name():
    changed = {"vimpac_256": {"extends": "vimpac_256", "frames": {"fps": 4}}}
    settings = Settings(mine() | {"recipes": changed}, ROOT)
    assert settings.recipe("vimpac_256")["frames"]["fps"] == "4"


def test_an_extending_recipe_may_swap_the_encoder():
    change = {"extends": "lvt_codes_demo", "encoder": {"name": "dalle", "weights": "dalle_encoder"}}
    encoder = Settings(recipes(x=change), ROOT).recipe("x")["encoder"]
    assert encoder == {"name": "dalle", "weights": "dalle_encoder"}


def test_own_data_by_split():
    settings = Settings(mine(shards={"train": 3, "val": 1}), ROOT)
    data = settings.datasets["mine"]
    assert data.by_split
    assert settings.shards("mine", "train") == ["00000", "00001", "00002"]
    assert not Settings(mine(shards=2), ROOT).datasets["mine"].by_split


def test_own_videos_in_place_of_a_cards_are_not_made(tmp_path):
    given = config({"demo": {"recipes": ["lvt_codes_demo"], "videos": str(tmp_path)}})
    data = Settings(given, ROOT).datasets["demo"]
    assert (data.videos, data.made_by) == (str(tmp_path), None)
    assert dict(data.shards) == {"all": 3}


def test_missing_and_wrong_sources_are_one_line_when_planning(tmp_path):
    settings = Settings(mine(videos=str(tmp_path / "nope")), ROOT)
    with pytest.raises(UserError, match=r"datasets\.mine\.videos: .*nope: no such folder or list"):
        settings.datasets["mine"].manifest_result("all", signature="")
    (tmp_path / "list.txt").write_text("a.mp4\n")
    settings = Settings(mine(videos=str(tmp_path / "list.txt")), ROOT)
    with pytest.raises(UserError, match=r"a list must end in one of: \.csv, \.tsv, \.parquet"):
        settings.datasets["mine"].manifest_result("all", signature="")


def test_sources_are_watched_only_when_wanted(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    watched = Settings(mine(videos=str(tmp_path)), ROOT)
    blind = Settings(mine(videos=str(tmp_path)) | {"watch_sources": False}, ROOT)
    first = watched_signature(watched, "mine")
    (tmp_path / "b.mp4").write_bytes(b"x")
    assert watched_signature(watched, "mine") != first
    assert watched_signature(blind, "mine") == ""


FEATURE_RECIPES = {
    "hero_resnet152": "clip3d2_short224/whole",
    "hero_slowfast": "clip3d2_32of30fps_short224/center224",
    "hero_s3d": "clip3d2_32of30fps_short224/center224",
    "hero_clip_vitb32": "clip3d2_short224/center224",
    "hero_clip_rn50x4": "clip3d2_short288/center288",
    "hero_resnext101": "fps24_short112/center112",
    "dinov2_vitb14": "clip3d2_short224/center224",
    "siglip2_b16": "clip3d2_short224/center224",
}


@pytest.mark.parametrize("name", sorted(FEATURE_RECIPES))
def test_shipped_feature_recipes(name):
    settings = Settings(mine(recipes=[name]), ROOT)
    recipe = settings.recipe(name)
    assert [product.name for product in products(recipe)] == [FEATURE_RECIPES[name]]
    assert recipe["group"] == "features"
    encoded = describe_encoding(settings, name)
    assert encoded["encoder"]["version"] == CARDS[recipe["encoder"]["name"]].result_version


@pytest.mark.parametrize("clip_len", [1.5, "3/2", "6/4"], ids=str)
def test_clip_len_is_one_fraction_however_it_is_written(clip_len):
    frames = Settings(features(windows={"clip_len": clip_len}), ROOT).recipe("x")["frames"]
    assert frames["windows"] == {"clip_len": "3/2"}
