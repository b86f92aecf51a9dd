"""config.yaml: every mistake is one line with key, place and what is allowed."""

import pytest

from reelpack.config.settings import Settings
from reelpack.core.errors import UserError
from tests.support.configs import (
    config,
    features,
    frame_recipe,
    mine,
    own_model,
    own_recipe,
    recipes,
)
from tests.support.helpers import ROOT

NAN = float("nan")
MISTAKES = {
    "no datasets": ({}, "config: missing key 'datasets'"),
    "top key": (config(foo=1), "config: unknown key 'foo'; allowed: datasets, downloads"),
    "dataset key": (
        mine(bar=1),
        "config: datasets.mine: unknown key 'bar'; allowed: in_all, recipes, shards, sources, spl",
    ),
    "weights key": (
        config(weights={"dalle_encoder": {"file": "x"}}),
        "config: weights.dalle_encoder: unknown key 'file'; allowed: path, sha256, url",
    ),
    "recipe key": (
        own_recipe(frame={}),
        "recipe x: unknown key 'frame'; allowed: audio, crop, desc",
    ),
    "frames key": (
        own_recipe(frames={"fps": 2, "short": 3}),
        "recipe x: frames: unknown key 'short'; allowed: at_least, damage, decoder, every",
    ),
    "crop key": (
        own_recipe(crop={"size": 64, "pos": "top"}),
        "recipe x: crop: unknown key 'pos'; allowed: fit, hflip, jpeg, position, size",
    ),
    "encoder key": (
        own_recipe(encoder={"name": "vqvae", "modle": "x"}),
        "recipe x: encoder: unknown key 'modle'; allowed: model, name, precision, weights",
    ),
    "pack key": (
        own_recipe(pack={"format": "lvt_codes", "x": 1}),
        "recipe x: pack: unknown key 'x'; allowed: class_folders, dataset_name, dtype, files, first",
    ),
    "model key": (
        own_model(training={"step": 1}),
        "model vqvae_demo: training: unknown key 'step'; allowed: batch, checkpoint_every",
    ),
    "decoder": (
        own_recipe(frames={"fps": 2, "decoder": "ffmpeg"}),
        "recipe x: frames.decoder: 'ffmpeg' is not allowed; one of: library, program",
    ),
    "program that is not there": (
        own_recipe(frames={"fps": 2, "decoder": "program"}) | {"ffmpeg": "/none/ffmpeg"},
        "config: ffmpeg: /none/ffmpeg: no such program; allowed: the path of an ffmpeg program",
    ),
    "program that is another": (
        own_recipe(frames={"fps": 2, "decoder": "program"}) | {"ffmpeg": "true"},
        "true -version does not begin with 'ffmpeg version'; allowed: an ffmpeg program",
    ),
    "folder and track": (
        own_recipe(audio={"folder": "a", "track": 1}),
        "recipe x: audio: at most one of folder and track; got both",
    ),
    "windows key": (
        features(windows={"clip_len": 2, "size": 3}),
        "recipe x: frames.windows: unknown key 'size'; allowed: clip_len, fps, frames",
    ),
    "windows clip_len": (
        features(windows={"clip_len": "2/0"}),
        "recipe x: frames.windows.clip_len: '2/0' does not match",
    ),
    "windows of broken length": (
        features(windows={"clip_len": "3/7", "fps": 30, "frames": 32}),
        "recipe x: frames.windows: clip_len 3/7 is not a whole number of frames at 30 fps;",
    ),
    "windows without fps": (
        features(windows={"clip_len": 2, "frames": 32}),
        "recipe x: frames.windows: frames is 32; without fps it must be 1",
    ),
    "windows and first": (
        features(windows={"clip_len": 2}, first=3),
        "recipe x: frames.first: not with windows, which have rules of their own",
    ),
    "windows and fps": (
        features(windows={"clip_len": 2}, fps=3),
        "recipe x: frames: exactly one of fps, uniform, every, violet, favd, windows; got ['fps', 'windows']",
    ),
    "single pictures for motion": (
        features(encoder="slowfast_r50"),
        "recipe x: frames.windows.frames: encoder slowfast_r50 takes 32 per row; got 1",
    ),
    "windows for single pictures": (
        features(windows={"clip_len": 2, "fps": 30, "frames": 32}),
        "recipe x: frames.windows.frames: encoder clip_vitb32 takes 1 per row; got 32",
    ),
    "feature side": (
        own_recipe(
            frames={"fps": 1, "shorter_side": 288},
            crop={"size": 224},
            encoder={"name": "clip_rn50x4", "weights": "clip_rn50x4"},
            pack={"format": "hero_npz"},
        ),
        "recipe x: encoder: clip_rn50x4 takes squares of 288; got 224: give crop or frames.square",
    ),
    "other weights for features": (
        own_recipe(encoder={"name": "s3d", "weights": "resnet152"}),
        "recipe x: encoder.weights: s3d takes the weights s3d; got resnet152",
    ),
    "precision of tokens": (
        own_recipe(encoder={"name": "vqvae", "model": "vqvae_demo", "precision": "fp16"}),
        "recipe x: encoder.precision: only for encoders of features; got vqvae",
    ),
    "features as tokens": (
        features(pack={"format": "vimpac_lmdb"}),
        "recipe x: pack.format: vimpac_lmdb takes tokens, and the recipe gives features",
    ),
    "tokens as features": (
        own_recipe(pack={"format": "hero_npz"}),
        "recipe x: pack.format: hero_npz takes features, and the recipe gives tokens",
    ),
    "feature dtype": (
        features(pack={"format": "hero_npz", "dtype": "int8"}),
        "recipe x: pack.dtype: 'int8' is not allowed; one of: float16, float32",
    ),
    "group name": (
        features(group="a b"),
        "recipe x: group: 'a b' does not match",
    ),
    "missing recipe": (
        config({"demo": {"recipes": ["nope"]}}),
        "config: datasets.demo.recipes: no recipe 'nope'; one of: bair_png_64, dinov2_vitb14",
    ),
    "missing model": (
        own_recipe(encoder={"name": "vqvae", "model": "nope"}),
        "recipe x: encoder.model: no model 'nope'; one of: kdvqvae, prdvqvae2, vqvae_bair_toy, vqvae_demo",
    ),
    "missing parent": (
        recipes(x={"extends": "nope"}),
        "recipe x: extends: no recipe 'nope'; one of: bair_png_64",
    ),
    "no recipes": (config({"demo": {}}), "config: datasets.demo: missing key 'recipes'"),
    "empty recipes": (mine(recipes=[]), "config: datasets.mine.recipes: [] should be non-empty"),
    "recipes as text": (mine(recipes="a"), "config: datasets.mine.recipes: 'a' is not of type"),
    "recipe name": (mine(recipes=["X"]), "config: datasets.mine.recipes: 'X' is not a recipe name"),
    "path as recipe name": (
        mine(recipes=["../x"]),
        "'../x' is not a recipe name; allowed: [a-z0-9]+",
    ),
    "empty dataset": (
        config({"demo": None}),
        "config: datasets.demo: None is not of type 'object'",
    ),
    "number as name": (config({2020: {}}), "config: datasets: key 2020 is not text; put it in"),
    "number as split": (mine(shards={2020: 1}), "shards: key 2020 is not text; put it in quotes"),
    "number as recipe": (config(recipes={3: {}}), "config: recipes: key 3 is not text"),
    "fraction of shards": (
        mine(shards=4.0),
        "mine.shards: 4.0 is not allowed; an integer, minimum",
    ),
    "no shards": (mine(shards=0), "config: datasets.mine.shards: 0 is less than the minimum of 1"),
    "shards as text": (
        mine(shards="4"),
        "'4' is not allowed; an integer, minimum 1, maximum 99999",
    ),
    "split name": (
        mine(shards={"Train": 1}),
        "config: datasets.mine.shards: 'Train' does not match",
    ),
    "empty videos": (mine(videos=""), "config: datasets.mine.videos: '' should be non-empty"),
    "max_failed": (config(max_failed=2), "config: max_failed: 2 is greater than the maximum of 1"),
    "max_failed nan": (config(max_failed=NAN), "config: max_failed: nan is not of type 'number'"),
    "trim": (
        mine(trim="exactly"),
        "datasets.mine.trim: 'exactly' is not allowed; one of: virtual, exact, keyframe",
    ),
    "frames_mode": (
        config(frames_mode="stage"),
        "config: frames_mode: 'stage' is not allowed; one of: recipe, staged, streamed",
    ),
    "weights sum": (
        config(weights={"dalle_encoder": {"sha256": "12"}}),
        "config: weights.dalle_encoder.sha256: '12' does not match",
    ),
    "weights name": (
        config(weights={"nope": {"path": "x"}}),
        "config: weights.nope: unknown weights; allowed: clip_rn50x4, clip_vitb32, dalle_encoder",
    ),
    "encoder weights": (
        own_recipe(encoder={"name": "dalle", "weights": "nope"}),
        "recipe x: encoder.weights: no weights 'nope'; one of: clip_rn50x4, clip_vitb32, dalle_encoder",
    ),
    "rule as dataset": (
        config({"write_pack": {"recipes": ["a"], "videos": "x"}}),
        "config: datasets.write_pack: 'write_pack' is a rule's name; allowed: [a-z0-9]+",
    ),
    "generated rule as dataset": (
        config({"make_manifest_demo_all": {"recipes": ["a"], "videos": "x"}}),
        "'make_manifest_demo_all' is a rule's name",
    ),
    "audit as dataset": (
        config({"audit_demo": {"recipes": ["a"], "videos": "x"}}),
        "'audit_demo' is a rule's name",
    ),
    "dataset name": (
        config({"A b": {"recipes": ["a"], "videos": "x"}}),
        "config: datasets.A b: 'A b' is not a dataset name; allowed: [a-z0-9]+",
    ),
    "no card, no videos": (
        config({"mine": {"recipes": ["vimpac_256"]}}),
        "config: datasets.mine: no card datasets/mine.yaml, so it needs 'videos'",
    ),
    "splits without card": (mine(splits=["a"]), "config: datasets.mine.splits: only with a card"),
    "shards with card": (
        config({"demo": {"recipes": ["lvt_codes_demo"], "shards": 9}}),
        "config: datasets.demo.shards: only without a card; datasets/demo.yaml has them",
    ),
    "split of a card": (
        config({"demo": {"recipes": ["lvt_codes_demo"], "splits": ["train"]}}),
        "config: datasets.demo.splits: no split 'train'; one of: all",
    ),
    "fps and uniform": (
        own_recipe(frames={"fps": 2, "uniform": 3, "shorter_side": 64}),
        "recipe x: frames: exactly one of fps, uniform, every, violet, favd, windows; got ",
    ),
    "no sampling": (own_recipe(frames={"shorter_side": 64}), "exactly one of fps, uniform, every"),
    "fps 0": (
        own_recipe(frames={"fps": 0, "shorter_side": 64}),
        "recipe x: frames.fps: 0 is less than or equal to the minimum of 0",
    ),
    "fps nan": (
        own_recipe(frames={"fps": NAN, "shorter_side": 64}),
        "frames.fps: nan is not allowed",
    ),
    "fps text": (
        own_recipe(frames={"fps": "2/0", "shorter_side": 64}),
        "frames.fps: '2/0' does not",
    ),
    "two sizes": (
        own_recipe(frames={"fps": 2, "shorter_side": 64, "square": 64}),
        "recipe x: frames: at most one of shorter_side and square; got both",
    ),
    "large crop": (
        own_recipe(crop={"size": 128}),
        "recipe x: crop.size: 128 is larger than the frame, whose shorter side is 64",
    ),
    "large crop of one size": (
        own_recipe(frames={"fps": 2, "shorter_side": [128, 64]}, crop={"size": 128}),
        "recipe x: crop.size: 128 is larger than the frame, whose shorter side is 64",
    ),
    "position": (
        own_recipe(crop={"size": 64, "position": "left"}),
        "crop.position: 'left' is not allowed; one of: top, center, bottom; or a list of these",
    ),
    "position in a list": (
        own_recipe(crop={"size": 64, "position": ["top", "left"]}),
        "recipe x: crop.position.1: 'left' is not allowed; one of: top, center, bottom",
    ),
    "at_least": (
        own_recipe(frames={"uniform": 4, "at_least": 5, "shorter_side": 64}),
        "recipe x: frames.at_least: 5 is larger than uniform, so that no clip would do; at most 4",
    ),
    "dalle without weights": (
        own_recipe(encoder={"name": "dalle"}),
        "recipe x: encoder: dalle needs the key weights and takes no model",
    ),
    "no square": (own_recipe(crop=None), "recipe x: encoder: vqvae needs square frames"),
    "stride": (own_recipe(crop={"size": 62}), "vqvae needs sides that are multiples of 4; got 62"),
    "two crop sets": (
        own_recipe(crop={"size": 64, "hflip": [False, True]}),
        "recipe x: pack: lvt_codes holds one crop set; got 2",
    ),
    "foreign pack key": (
        own_recipe(pack={"format": "vimpac_lmdb", "dataset_name": "x"}),
        "recipe x: pack.dataset_name: only for lvt_codes, violet_frames, violet_vq; got vimpac_lmdb",
    ),
    "no encoder for tokens": (
        own_recipe(encoder=None),
        "recipe x: pack.format: lvt_codes takes tokens, and the recipe gives frames (without an"
        " encoder); formats for frames: favd_frames, favd_tsv, frame_folders",
    ),
    "an encoder for frames": (
        own_recipe(pack={"format": "png_folders"}),
        "recipe x: pack.format: png_folders takes frames, and the recipe gives tokens (vqvae);"
        " formats for tokens: hdf5, lvt_codes, parquet",
    ),
    "kind of picture": (
        frame_recipe(format="frame_folders", image="gif"),
        "recipe x: pack.image: 'gif' is not allowed; one of: png, jpeg, webp",
    ),
    "quality of a lossless picture": (
        frame_recipe(format="webdataset", quality=80),
        "recipe x: pack.quality: only for image jpeg and webp; png is lossless",
    ),
    "pictures of tokens": (
        own_recipe(pack={"format": "parquet", "image": "jpeg"}),
        "recipe x: pack: image and quality are only for recipes without an encoder",
    ),
    "two sizes of shards": (
        frame_recipe(format="webdataset", samples_per_shard=9, shard_bytes=9),
        "recipe x: pack: at most one of samples_per_shard and shard_bytes; got both",
    ),
    "numbers of no picture": (
        frame_recipe(format="hdf5", first_number=1),
        "recipe x: pack.first_number: only for frame_folders, png_folders; got hdf5",
    ),
    "two crop sets of folders": (
        frame_recipe(crop={"size": 32, "hflip": [False, True]}, format="png_folders"),
        "recipe x: pack: png_folders holds one crop set; got 2",
    ),
    "circle of two": (
        recipes(x={"extends": "y"}, y={"extends": "x"}),
        "recipe y: extends: goes round in a circle: x",
    ),
    "circle of one": (recipes(x={"extends": "x"}), "recipe x: extends: goes round in a circle: x"),
    "model without its data": (
        config({"mine": {"videos": "/d", "recipes": ["lvt_codes_demo"]}}),
        "model vqvae_demo: dataset: learns from demo/all, which config.yaml does not build",
    ),
    "model size": (
        own_model(architecture={"filters": 34, "codebooks": 4}),
        "model vqvae_demo: architecture.filters: 34; allowed: multiples of 2 and of codebooks (4)",
    ),
    "devices": (
        own_model(training={"batch": 6, "devices": 4}),
        "model vqvae_demo: training.batch: 6; allowed: multiples of devices (4), for each takes",
    ),
    "model precision": (
        own_model(training={"precision": "fp16"}),
        "model vqvae_demo: training.precision: 'fp16' is not allowed; one of: fp32, bf16",
    ),
    "steps": (own_model(training={"steps": 0}), "training.steps: 0 is less than the minimum of 1"),
    "codebooks": (
        config(
            {"demo": {"recipes": ["vimpac_demo"]}},
            models={"vqvae_demo": {"extends": "vqvae_demo", "architecture": {"codebooks": 2}}},
        ),
        "recipe vimpac_demo: pack: vimpac_lmdb holds one token per position, and model vqvae_demo",
    ),
    "codebooks of VIOLET": (
        config(
            {"demo": {"recipes": ["x"]}},
            models={"vqvae_demo": {"extends": "vqvae_demo", "architecture": {"codebooks": 2}}},
            recipes={"x": {"extends": "lvt_codes_demo", "pack": {"format": "violet_vq"}}},
        ),
        "recipe x: pack: violet_vq holds one token per position, and model vqvae_demo has 2",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    given, line = MISTAKES[name]
    with pytest.raises(UserError) as caught:
        Settings(given, ROOT)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
