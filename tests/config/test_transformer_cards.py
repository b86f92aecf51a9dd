"""Cards of transformers in config.yaml: every mistake is one line; what decides results."""

import copy

import pytest

from reelpack.config.schema import load_yaml
from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_model, describe_samples, describe_transformer
from reelpack.core.errors import UserError
from reelpack.core.results import canonical
from tests.support.helpers import ROOT

VQVAE = {
    "dataset": "birds",
    "split": "train",
    "frames": {"every": True, "square": 32},
    "architecture": {"filters": 8, "codebooks": 2, "codes": 16},
    "training": {"steps": 1},
}
RECIPE = {
    "frames": {"every": True, "first": 6, "square": 32},
    "encoder": {"name": "vqvae", "model": "small"},
    "pack": {"format": "lvt_codes"},
}
CARD = {
    "dataset": "birds",
    "split": "train",
    "recipe": "codes",
    "held_out": "test",
    "architecture": {"codebooks": 2, "codes": 16, "stride": [4, 1, 1], "block": [1, 8, 8]},
    "training": {"steps": 5, "frames": 4},
    "samples": {"primed": 2, "length": 4},
}
LONG = {"samples": {"length": 8}, "training": {"frames": 4}}


def laid_over(base: dict, change: dict) -> dict:
    made = copy.deepcopy(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = laid_over(made[key], value) if both else value
    return made


def config(card=None, **more) -> dict:
    birds = {"videos": "/data", "shards": {"train": 2, "test": 1}, "recipes": ["codes"]}
    given = {
        "datasets": {"birds": {**birds, "transformers": ["vt"]}},
        "models": {"small": VQVAE},
        "recipes": {"codes": RECIPE},
        "transformers": {"vt": laid_over(CARD, card or {})},
    }
    return laid_over(given, more)


def listed_elsewhere() -> dict:
    given = config(datasets={"birds": {"transformers": []}})
    other = {"videos": "/data", "recipes": ["codes"], "transformers": ["vt"]}
    return laid_over(given, {"datasets": {"waves": other}})


MISTAKES = {
    "unknown": (
        config(datasets={"birds": {"transformers": ["vx"]}}),
        "config: datasets.birds.transformers: no transformer 'vx'; one of: bair_toy, dsfvt, dssvt,",
    ),
    "name": (
        config(datasets={"birds": {"transformers": ["V T"]}}),
        "config: datasets.birds.transformers: 'V T' is not a transformer name; allowed: ",
    ),
    "key": (config({"sample": 1}), "transformer vt: unknown key 'sample'; allowed: architecture,"),
    "training key": (
        config({"training": {"step": 1}}),
        "transformer vt: training: unknown key 'step'; allowed: alpha, batch, checkpoint_every",
    ),
    "sample key": (
        config({"samples": {"clip": 1}}),
        "transformer vt: samples: unknown key 'clip'; allowed: clips, fps, length, primed",
    ),
    "precision": (
        config({"training": {"precision": "fp16"}}),
        "transformer vt: training.precision: 'fp16' is not allowed; one of: fp32, bf16",
    ),
    "split": (
        config({"split": "val"}),
        "transformer vt: split: learns from birds/val, which config.yaml does not build;",
    ),
    "held_out": (
        config({"held_out": "val"}),
        "transformer vt: held_out: learns from birds/val, which config.yaml does not build;",
    ),
    "held_out itself": (
        config({"held_out": "train"}),
        "transformer vt: held_out: train; allowed: another split than train, which is learned",
    ),
    "samples.split": (
        config({"samples": {"split": "val"}}),
        "transformer vt: samples.split: needs birds/val, which config.yaml does not build;",
    ),
    "listed elsewhere": (
        listed_elsewhere(),
        "config: datasets.waves.transformers: vt learns from birds; list it there",
    ),
    "recipe": (
        config({"recipe": "code"}),
        "transformer vt: recipe: 'code' is not built of birds; one of its recipes in config.yaml:",
    ),
    "recipe of frames": (
        config(recipes={"codes": {"encoder": None, "pack": {"format": "png_folders"}}}),
        "transformer vt: recipe: codes has no vqvae encoder, whose codes could be learned",
    ),
    "recipe's format": (
        config(recipes={"codes": {"pack": {"format": "hdf5"}}}),
        "transformer vt: recipe: codes has pack.format hdf5; allowed: lvt_codes",
    ),
    "codebooks": (
        config({"architecture": {"codebooks": 1}}),
        "transformer vt: architecture.codebooks: 1; allowed: 2, as in the VQ-VAE of recipe codes",
    ),
    "codes": (
        config({"architecture": {"codes": 512}}),
        "transformer vt: architecture.codes: 512; allowed: 16, as in the VQ-VAE of recipe codes",
    ),
    "block": (
        config({"architecture": {"block": [1, 16, 16]}}),
        "transformer vt: training.frames: codes of [4, 8, 8] (frames, rows, columns) do not fall",
    ),
    "even kernel": (
        config({"architecture": {"kernel": [2, 1, 1]}}),
        "transformer vt: architecture.kernel: [2, 1, 1]; allowed: odd sides",
    ),
    "frames": (
        config({"training": {"frames": 8}}),
        "transformer vt: training.frames: 8; allowed: at most 6, as many as recipe codes keeps",
    ),
    "primed_frames": (
        config({"training": {"primed_frames": 4}}),
        "transformer vt: training.primed_frames: 4; allowed: less than training.frames (4)",
    ),
    "patience": (
        config({"training": {"patience": 2}, "held_out": None}),
        "transformer vt: training.patience: needs held_out, a split to measure on",
    ),
    "primed": (
        config({"samples": {"primed": 4}}),
        "transformer vt: samples.primed: 4; allowed: less than samples.length (4)",
    ),
    "length": (
        config({"samples": {"length": 5}}),
        "transformer vt: samples.length: codes of [5, 8, 8] (frames, rows, columns) do not fall",
    ),
    "longer than learned": (
        config(LONG),
        "transformer vt: samples.length: 8; allowed: at most training.frames (4), since slices",
    ),
    "checkpoint": (
        config({"checkpoint": "/nowhere/model_final.pth"}),
        "transformer vt: checkpoint: /nowhere/model_final.pth: no such file",
    ),
    "model's checkpoint": (
        config(models={"small": {"checkpoint": "/nowhere"}}),
        "model small: checkpoint: /nowhere/netE/model_final.pth: no such file",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    given, line = MISTAKES[name]
    with pytest.raises(UserError) as caught:
        Settings(given, ROOT)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_slices_of_whole_frames_apart_may_go_on(tmp_path):
    # Blocks of two frames lie in a longer video as in a short one.
    sizes = {"stride": [1, 2, 2], "kernel": [1, 3, 3], "block": [2, 4, 4]}
    settings = Settings(config({"architecture": sizes, **LONG}), ROOT)
    assert settings.transformer("vt")["samples"]["length"] == 8


def test_samples_are_of_what_is_held_out_unless_said():
    for change, split in (
        ({}, "test"),
        ({"held_out": None}, "train"),
        ({"samples": {"split": "train"}}, "train"),
    ):
        assert Settings(config(change), ROOT).transformer("vt")["samples"]["split"] == split


def test_what_is_imported_needs_none_of_what_it_learned(tmp_path):
    for net in ("netE", "netG", "netC"):
        (tmp_path / net).mkdir()
        (tmp_path / net / "model_final.pth").write_bytes(b"")
    change = {"checkpoint": str(tmp_path / "netG/model_final.pth")}
    only_test = {"videos": "/data", "recipes": ["codes"], "transformers": ["vt"]}
    given = config(change, models={"small": {"checkpoint": str(tmp_path)}})
    given["datasets"] = {"birds": {**only_test, "shards": {"test": 1}}}
    settings = Settings(given, ROOT)
    assert settings.transformer("vt")["samples"]["split"] == "test"
    assert len(settings.checkpoint_files("model", "small")) == 3
    assert describe_model(settings, "small")["stage"] == "import_vqvae"
    given["transformers"]["vt"]["checkpoint"] = None
    with pytest.raises(UserError, match="split: learns from birds/train, which"):
        Settings(given, ROOT)


def results(card) -> list[str]:
    settings = Settings(config(card), ROOT)
    found = [describe_transformer(settings, "vt"), describe_samples(settings, "vt")]
    return [canonical(each) for each in found]


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"description": "other"}, (False, False)),
        ({"training": {"devices": 1, "precision": "fp32"}}, (False, False)),
        ({"samples": {"split": "train"}}, (False, False)),
        ({"samples": {"seed": 1}}, (False, True)),
        ({"samples": {"fps": 4}}, (False, True)),
        ({"training": {"seed": 1}}, (True, False)),
        ({"training": {"threads": 2}}, (True, False)),
        ({"training": {"batch": 2, "devices": 2}}, (True, False)),
        ({"training": {"precision": "bf16"}}, (True, False)),
        ({"architecture": {"width": 16}}, (True, False)),
        ({"held_out": None}, (True, False)),
    ],
)
def test_result_strings_hold_what_results_depend_on(change, changed):
    before, after = results({}), results(change)
    assert tuple(old != new for old, new in zip(before, after, strict=True)) == changed


def test_own_cards_extend_shipped_ones():
    datasets = {"bair": {"recipes": ["lvt_codes_bair"], "transformers": ["short"]}}
    own = {"extends": "dsfvt", "training": {"steps": 9}, "samples": {"samples": 3}}
    card = Settings({"datasets": datasets, "transformers": {"short": own}}, ROOT).transformer(
        "short"
    )
    assert card["training"]["steps"] == 9
    assert (card["training"]["batch"], card["samples"]["samples"]) == (64, 3)
    assert (card["samples"]["split"], card["samples"]["primed"]) == ("test", 5)


def test_every_shipped_transformer_can_be_built():
    vqvaes = {"bair": "prdvqvae2", "bair_toy": "vqvae_bair_toy", "kinetics600": "kdvqvae"}
    for path in sorted((ROOT / "transformers").glob("*.yaml")):
        dataset = load_yaml(path)["dataset"]
        entry = {"recipes": [f"lvt_codes_{dataset}"], "transformers": [path.stem]}
        settings = Settings({"datasets": {dataset: entry}}, ROOT)
        assert settings.transformers == [path.stem]
        assert settings.models == [vqvaes[dataset]]
