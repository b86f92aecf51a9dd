"""What rules ask of the library: paths, results and threads, from settings and wildcards alone."""

import json

import pytest

from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from reelpack.core.results import Unrecorded
from reelpack.workflow import (
    download,
    encode,
    frames,
    looks,
    manifest,
    measure,
    packs,
    targets,
    train,
    transformer,
    trim,
    weights,
)
from reelpack.workflow.paths import find_products, list_splits
from tests.support.helpers import ROOT

CONFIG = {
    "datasets": {
        "demo": {"recipes": ["lvt_codes_demo", "vimpac_demo"]},
        "bair_toy": {
            "in_all": False,
            "recipes": ["bair_png_64", "lvt_codes_bair_toy"],
            "transformers": ["bair_toy"],
        },
        "ucf101": {"recipes": ["vimpac_256", "favd_32"], "trim": "exact"},
        "kinetics400": {"recipes": ["hero_s3d", "hero_slowfast"], "splits": ["val"]},
    },
}
JPEG_TARS = {"format": "webdataset", "image": "jpeg"}
DEMO = {"dataset": "demo", "split": "all", "shard": "00001"}
TOY = {"dataset": "bair_toy", "split": "test", "shard": "00000", "transformer": "bair_toy"}
UCF = {"dataset": "ucf101", "split": "train_val", "shard": "00000"}
KINETICS = {"dataset": "kinetics400", "split": "val", "shard": "00003"}
DEMO_MODEL = {"dataset": "demo", "model": "vqvae_demo"}


@pytest.fixture(scope="module")
def settings():
    return Settings(CONFIG, ROOT)


def test_targets_are_the_last_files_of_what_is_built(settings):
    names = targets.get_all(settings)
    assert names == ["demo", "ucf101", "kinetics400"]
    assert targets.get_packs(settings, ["demo"]) == [
        f"results/demo/all/packs/{recipe}/provenance.json"
        for recipe in ("lvt_codes_demo", "vimpac_demo")
    ]
    assert targets.get_samples(settings, names) == []
    assert targets.get_samples(settings, ["bair_toy"]) == [
        "results/bair_toy/train/samples/bair_toy/samples.csv"
    ]
    assert targets.get_measures(settings, ["ucf101", "bair_toy"]) == [
        f"results/bair_toy/{split}/measures/lvt_codes_bair_toy.json" for split in ("train", "test")
    ]
    assert "resources/weights/dalle_encoder/original" in targets.get_weights(settings)
    assert targets.get_downloads(settings)[1] == "results/demo/all/downloads/00001.ledger.parquet"
    assert targets.get_manifests(settings, "bair_toy") == [
        f"results/bair_toy/{split}/manifest.parquet" for split in ("train", "test")
    ]


def test_lists_and_the_results_of_manifests(settings):
    assert manifest.get_list(settings, "demo") == ["resources/videos/demo/demo.csv"]
    assert manifest.get_list(settings, "ucf101") == ["resources/annotations/ucf101.json"]
    assert manifest.get_annotations_option(settings, "demo") == []
    result = json.loads(manifest.get_result(settings, {}, dataset="demo", split="all"))
    assert (result["stage"], result["shards"]) == ("make_manifest", 3)
    missing = {"mine": {"videos": "/nowhere", "recipes": ["vimpac_256"]}}
    with pytest.raises(UserError, match="no such folder"):
        manifest.get_result(Settings({"datasets": missing}, ROOT), {}, dataset="mine", split="all")


def test_downloads_name_archives_and_sources(settings):
    tables = download.get_archives_tables(settings, {**UCF, "source": "1", "part": "0"})
    assert tables[0] == "results/ucf101/train_val/shards/00000.parquet"
    assert download.get_unpacked(settings, UCF) == ["resources/archives/ucf101/1/0.json"]
    assert json.loads(download.get_sources(settings, UCF))["windows"] == "inside"
    assert download.get_sources(settings, DEMO) == ""
    assert isinstance(download.get_options(settings, UCF), Unrecorded)


def test_retries_are_those_of_the_shard(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert download.get_retries(settings, DEMO) == "{}"
    folder = tmp_path / "results/demo/all"
    folder.mkdir(parents=True)
    (folder / "retries.json").write_text('{"00001": {"all": 2}}')
    assert download.get_retries(settings, DEMO) == '{"all":2}'
    assert download.get_retries(settings, {**DEMO, "shard": "00002"}) == "{}"


def test_trims_take_threads_only_where_files_are_cut(settings):
    assert [trim.get_threads(settings, place) for place in (DEMO, UCF)] == [1, 8]
    assert str(trim.get_journal(settings, UCF)).endswith("journal/trim_shard/00000")


def test_products_are_found_by_their_slugs(settings):
    for (sampling, crop), product in find_products(settings).items():
        place = {"sampling": sampling, "crop": crop}
        result = json.loads(frames.get_frames_result(settings, place))
        assert result["frames"] == product.frames
        if product.crop is not None:
            assert json.loads(frames.get_crop_result(settings, place))["crop"] == product.crop
    assert json.loads(frames.get_audio_result(settings, {"audio": "track"}))["audio"] == {}


def test_a_model_learns_from_the_shards_that_its_card_names(settings):
    tables = train.get_tables(settings, DEMO_MODEL)
    assert tables[0] == "results/demo/all/shards/00000.parquet"
    folder = train.get_folder(settings, DEMO_MODEL)
    pixels = [f"{folder}/{shard}.tar" for shard in settings.model_shards("vqvae_demo")]
    assert train.get_pixels(settings, DEMO_MODEL, ledger=False) == pixels
    assert len(train.get_pixels(settings, DEMO_MODEL, ledger=True)) == len(tables)
    assert json.loads(train.get_result(settings, DEMO_MODEL))["shards"] == [
        path.split("/")[-1].removesuffix(".parquet") for path in tables
    ]
    assert str(train.get_tensorboard(settings, DEMO_MODEL)) == "logs/tensorboard/demo/vqvae_demo"
    assert train.get_checkpoint(settings, DEMO_MODEL) == []
    assert train.get_gpus(settings, TOY) == 1


def test_encoding_takes_staged_shards_or_clips(settings):
    staged = {**DEMO, "recipe": "lvt_codes_demo"}
    streamed = {**DEMO, "recipe": "vimpac_demo"}
    (pixels,) = encode.get_pixels(settings, staged)
    assert pixels.endswith("/00001.tar")
    assert encode.get_earlier(settings, staged) == [pixels.replace(".tar", ".ledger.parquet")]
    assert encode.get_pixels(settings, streamed) == []
    assert encode.get_earlier(settings, streamed) == ["results/demo/all/clips/00001.ledger.parquet"]
    model = "resources/models/demo/vqvae_demo/model.safetensors"
    assert encode.get_weights(settings, staged) == model
    assert encode.get_learned(settings, staged) == ["results/demo/all/shards/00000.parquet"]
    assert encode.get_learned(settings, {**UCF, "recipe": "vimpac_256"}) == []


def test_a_group_is_waited_for_until_its_codes_are_there(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = {**KINETICS, "recipe": "hero_s3d"}
    done = "results/kinetics400/val/groups/features/00003.done"
    assert encode.get_group(settings, place) == [done]
    group = {**KINETICS, "group": "features"}
    assert encode.get_group_weights(settings, group) == [
        f"resources/weights/{name}/model.safetensors" for name in ("s3d", "slowfast_r50")
    ]
    assert encode.get_group_journals(settings, group) == [
        f"results/kinetics400/val/journal/encode_shard/{recipe}/00003"
        for recipe in ("hero_s3d", "hero_slowfast")
    ]
    codes = tmp_path / "results/kinetics400/val/encoded/hero_s3d/00003.safetensors"
    codes.parent.mkdir(parents=True)
    codes.touch()
    assert encode.get_group(settings, place) == []
    assert encode.get_group(settings, {**DEMO, "recipe": "vimpac_demo"}) == []


def test_packs_are_made_from_codes_or_from_frames_and_sound(settings):
    codes = {**DEMO, "recipe": "vimpac_demo"}
    assert packs.get_shards(settings, codes)[2] == (
        "results/demo/all/encoded/vimpac_demo/00002.safetensors"
    )
    assert packs.get_content(settings, codes) == ["results/demo/all/encoded/vimpac_demo"]
    crops, sound = packs.get_content(settings, {**UCF, "recipe": "favd_32"})
    assert crops.startswith("results/ucf101/train_val/crops/")
    assert sound == "results/ucf101/train_val/audio/track"
    pixels = "results/ucf101/train_val/images/favd_32"
    folders = packs.get_folders(settings, {**UCF, "recipe": "favd_32"})
    assert json.loads(str(folders)) == [pixels, sound]
    ledgers = packs.get_ledgers(settings, {**UCF, "recipe": "favd_32"})
    assert ledgers[0] == f"{pixels}/00000.ledger.parquet"
    assert len(ledgers) == 2 * len(settings.shards("ucf101", "train_val"))
    assert packs.get_threads(settings, codes) == 1


WEB = {"frames": {"fps": 2, "shorter_side": 64}, "crop": {"size": 64}, "pack": JPEG_TARS}
CODES = {**WEB, "encoder": {"name": "vqvae", "model": "m"}, "pack": {"format": "lvt_codes"}}
MODEL = {
    "dataset": "mine",
    "split": "all",
    "frames": WEB["frames"],
    "crop": WEB["crop"],
    "architecture": {},
    "training": {"steps": 1, "batch": 1},
}
PLACE = {"dataset": "mine", "split": "all", "shard": "00000", "recipe": "web"}
STAGED = "results/mine/all/crops/fps2_short64/center64"
IMAGES = "results/mine/all/images/web"
ONE_PASS = {
    "alone": ({}, [], True),
    "asked to be staged": ({"web": {**WEB, "mode": "staged"}}, [], False),
    "beside another one": ({"other": WEB}, [], True),
    "beside a staged one": ({"other": {**WEB, "mode": "staged"}}, [], False),
    "beside a staged one that cuts it": ({"web": {**WEB, "crop": None}, "codes": CODES}, [], False),
    "a model learns from it": ({"codes": CODES}, [], False),
    "staged before": ({}, [STAGED], False),
    "made so before": ({"codes": CODES}, [STAGED, IMAGES], True),
    "made so before, asked to be staged": ({"web": {**WEB, "mode": "staged"}}, [IMAGES], False),
}


@pytest.mark.parametrize("name", ONE_PASS)
def test_frames_are_staged_only_where_they_are_asked_for_or_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipes, there, expected = ONE_PASS[name]
    recipes = {"web": WEB, **recipes}
    own = {"videos": "v", "shards": 2, "recipes": list(recipes)}
    models = {"m": MODEL}
    settings = Settings({"datasets": {"mine": own}, "recipes": recipes, "models": models}, ROOT)
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    assert frames.is_one_pass(settings, PLACE) == expected
    assert packs.get_threads(settings, PLACE) == (1 if expected else 4)
    found = {path.rpartition("/")[0] for path in packs.get_shards(settings, PLACE)}
    assert json.loads(str(packs.get_folders(settings, PLACE))) == sorted(found)
    assert (found == {IMAGES}) == expected
    # What a pack is made from is recorded alike, so that none is written again.
    if recipes["web"]["crop"]:
        assert packs.get_content(settings, PLACE) == [STAGED]


def test_image_files_depend_on_pixels_and_on_the_kind_of_file():
    def result(**pack):
        recipe = {**WEB, "pack": {**JPEG_TARS, **pack}}
        own = {"videos": "v", "recipes": ["web"]}
        settings = Settings({"datasets": {"mine": own}, "recipes": {"web": recipe}}, ROOT)
        return json.loads(frames.get_images_result(settings, PLACE))

    assert result()["image"] == {"image": "jpeg", "quality": 90}
    assert result(samples_per_shard=7) == result()
    assert result(image="png")["image"] == {"image": "png"}
    assert result(quality=80) != result()


def test_measures_compare_with_staged_frames_or_clips(settings):
    staged, streamed = ({**DEMO, "recipe": r} for r in ("lvt_codes_demo", "vimpac_demo"))
    assert len(measure.get_clips(settings, staged)) == len(measure.get_pixels(settings, staged))
    assert measure.get_pixels(settings, streamed) == []
    assert str(measure.get_folders(settings, streamed)) == "[]"


def test_a_transformer_depends_on_its_packs_and_their_tables(settings):
    pack = "results/bair_toy/{}/packs/lvt_codes_bair_toy"
    assert transformer.get_codes(settings, TOY) == pack.format("train")
    card = settings.transformer("bair_toy")
    splits = [split for split in (card["split"], card["held_out"]) if split]
    assert transformer.get_packs(settings, TOY, file="x") == [
        f"{pack.format(split)}/x" for split in splits
    ]
    assert transformer.get_held_out(settings, TOY) == [
        part for split in splits[1:] for part in ("--held-out", pack.format(split))
    ]
    assert transformer.get_continued_file(settings, TOY, file="y") == f"{pack.format('test')}/y"
    tables = transformer.get_samples_tables(settings, TOY)
    assert set(transformer.get_tables(settings, TOY)) <= set(tables)
    assert "results/bair_toy/test/shards/00000.parquet" in tables
    assert transformer.get_vqvae(settings, TOY).startswith("resources/models/bair_toy/")


def test_local_weights_count_by_their_time_only_without_a_checksum():
    def find(**override):
        given = {"datasets": CONFIG["datasets"], "weights": {"dalle_encoder": override}}
        local = Settings(given, ROOT)
        place = {"weights": "dalle_encoder"}
        return [weights.get_local_file(local, place, checked=each) for each in (True, False)]

    assert find(path="a.pkl", sha256="0" * 64) == [["a.pkl"], []]
    assert find(url="https://example.org/a.pkl") == [[], []]


def test_an_audit_changes_with_its_lists(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert json.loads(looks.get_audit_asked(settings, "demo"))["dataset"] == "demo"
    state, *lists = json.loads(looks.get_audit_state(settings, {}, dataset="bair_toy"))
    assert len(lists) == len(list_splits(settings, ["bair_toy"]))
    ledger = tmp_path / "results/bair_toy/train/downloads/00000.ledger.parquet"
    ledger.parent.mkdir(parents=True)
    ledger.touch()
    assert json.loads(looks.get_audit_state(settings, {}, dataset="bair_toy"))[0] != state
