from pathlib import Path

import pytest

from reelpack.config.schema import check, load_yaml
from reelpack.config.transformer_sizes import PRESETS
from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.errors import UserError
from reelpack.lvt.published.training_configs import (
    make_transformer_card,
    make_vqvae_card,
    read_config,
)
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.support.helpers import ROOT

# Configurations of the published kind, with the published values.
BASE = """
MODEL:
  META_ARCHITECTURE: "VQVAEModel"
  INIT_TYPE: "xavier_uniform"
  ENCODER: {NAME: "ResEncoder", N_LAYERS: 2, NF: 256, RES_CHANNELS: 128}
  GENERATOR: {NAME: "ResDecoder", N_LAYERS: 2, IN_CHANNELS: 256, RES_CHANNELS: 128, NF: 256}
  CODEBOOK: {SIZE: 512, DIM: 256, EMA: True}
SOLVER: {IMS_PER_BATCH: 32, MAX_ITER: 500000, LR_G: 0.0003}
SEED: 29871897
"""
CHANGE = """
_BASE_: "base.yaml"
INPUT: {FORMAT: "RGB"}
DATASETS:
  TRAIN: ("bair_train",)
MODEL:
  PIXEL_MEAN: [0.5, 0.5, 0.5]
  PIXEL_STD: [0.5, 0.5, 0.5]
  ENCODER: {IN_CHANNELS: 3}
  GENERATOR: {OUT_ACTIVATION: "tanh"}
  CODEBOOK: {NUM: 4}
"""
KINETICS = """
_BASE_: "bair.yaml"
INPUT: {N_FRAMES_PER_VIDEO_TRAIN: 1}
DATASETS:
  TRAIN: ("kinetics_train_seq",)
MODEL: {ENCODER: {N_LAYERS: 4}, GENERATOR: {N_LAYERS: 4}}
SOLVER: {MAX_ITER: 1000000}
"""
TRANSFORMER = """
INPUT: {N_FRAMES_PER_VIDEO_TRAIN: 4}
MODEL:
  META_ARCHITECTURE: "VideoTransformerModel"
  INIT_TYPE: "xavier_uniform"
  AUTOREGRESSIVE:
    NAME: "VideoTransformer"
    VT:
      NC: 4
      NV: 512
      KERNEL: (1, 3, 3)
      STRIDE: (1, 2, 2)
      DE: 128
      D: 512
      DA: 128
      BLOCKS_E: ((4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8))
      N_HEAD_E: (8, 8, 8, 8, 8, 8, 8, 8)
      BLOCKS_D: ((4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8),(4,8,8))
      N_HEAD_D: (8, 8, 8, 8, 8, 8, 8, 8)
      N_PRIME: 1
      SHARE_P: False
SOLVER:
  IMS_PER_BATCH: 64
  MAX_ITER: 600000
  OPTIMIZER_NAME: "rmsprop"
  LR_G: 0.00002
  RMSPROP: {ALPHA_G: 0.95, MOMENTUM_G: 0.9}
SEED: 29871897
"""


@pytest.fixture
def folder(tmp_path):
    texts = {"base": BASE, "bair": CHANGE, "kinetics": KINETICS, "transformer": TRANSFORMER}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def shipped(name: str, *, folder: str = "models") -> dict:
    return load_yaml(ROOT / folder / f"{name}.yaml")


@pytest.mark.parametrize(("config", "name"), [("bair", "prdvqvae2"), ("kinetics", "kdvqvae")])
def test_the_shipped_vqvae_cards_are_the_published_configurations(folder, config, name):
    card = check("model", shipped(name), where=name)
    places = {key: card[key] for key in ("dataset", "split", "frames")}
    read = make_vqvae_card(read_config(folder / f"{config}.yaml"), **places)
    # Which frames a round takes, the published readers say, not the configurations.
    read["training"]["per_clip"] = name == "kdvqvae"
    assert check("model", read, where=config) == {
        k: v for k, v in card.items() if k != "description"
    }
    assert VqvaeTrainSettings.from_card(read, image_size=64).architecture.layers in (2, 4)
    assert card["split"] in load_yaml(ROOT / "datasets" / f"{card['dataset']}.yaml")["splits"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_shipped_transformer_cards_are_the_presets(name):
    settings = TransformerSettings.from_card(shipped(name.lower(), folder="transformers"))
    frames = 4 if name == "DSSVT" else 16
    assert settings == TransformerSettings(PRESETS[name], steps=600_000, frames=frames)


def test_a_transformer_s_configuration_is_read(folder):
    read = make_transformer_card(read_config(folder / "transformer.yaml"))
    assert TransformerSettings.from_card(read) == TransformerSettings.from_card(
        shipped("dssvt", folder="transformers")
    )


def test_bases_are_laid_under_one_after_another(folder):
    config = read_config(folder / "kinetics.yaml")
    assert config["MODEL"]["ENCODER"]["N_LAYERS"] == 4
    assert config["MODEL"]["ENCODER"]["IN_CHANNELS"] == 3
    assert config["SOLVER"] == {"IMS_PER_BATCH": 32, "MAX_ITER": 1000000, "LR_G": 0.0003}
    assert "_BASE_" not in config


def changed(folder: Path, name: str, old: str, new: str) -> dict:
    path = folder / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return read_config(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NUM: 4", "NUM: 4, BETA: 0.25", r"MODEL.CODEBOOK.BETA: 0.25; supported: 1.0"),
        ("tanh", "sigmoid", "MODEL.GENERATOR.OUT_ACTIVATION: 'sigmoid'; supported: 'tanh'"),
        ("IN_CHANNELS: 3", "IN_CHANNELS: 3, NF: 64", "MODEL.ENCODER.NF 64, MODEL.GENERATOR.NF 256"),
        ("INPUT:", "SOLVER: 3\nINPUT:", "SOLVER.OPTIMIZER_NAME: stands below something"),
    ],
)
def test_other_vqvaes_are_user_errors(folder, old, new, message):
    config = changed(folder, "bair", old, new)
    with pytest.raises(UserError, match=message):
        make_vqvae_card(config, dataset="bair", split="train", frames={})


def test_a_vqvae_of_several_frames_of_a_video_is_a_user_error(folder):
    config = changed(folder, "kinetics", "TRAIN: 1", "TRAIN: 2")
    with pytest.raises(UserError, match=r"INPUT\.N_FRAMES_PER_VIDEO_TRAIN: 2; supported: 1"):
        make_vqvae_card(config, dataset="kinetics600", split="train", frames={})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SHARE_P: False", "CLASS_NUM: 0", "VT.SHARE_P: True; supported: False"),
        ("(4,8,8)", "(2,8,8)", None),
        ("BLOCKS_D: ((4,8,8)", "BLOCKS_D: ((2,8,8)", "supported: one block for all layers"),
        ("      DE: 128\n", "", "VT.DE: missing"),
        ('"rmsprop"', '"adam"', "SOLVER.OPTIMIZER_NAME: 'adam'; supported: 'rmsprop'"),
    ],
)
def test_other_transformers_are_user_errors(folder, old, new, message):
    config = changed(folder, "transformer", old, new)
    if message is None:
        assert make_transformer_card(config)["architecture"]["block"] == [2, 8, 8]
        return
    with pytest.raises(UserError, match=message):
        make_transformer_card(config)


def test_files_that_are_no_configuration_are_user_errors(folder):
    (folder / "list.yaml").write_text("[1]")
    with pytest.raises(UserError, match="not a mapping"):
        read_config(folder / "list.yaml")
    with pytest.raises(UserError, match="no such file"):
        read_config(folder / "absent.yaml")
    (folder / "base.yaml").write_text("_BASE_: bair.yaml\n")
    with pytest.raises(UserError, match="is its own _BASE_"):
        read_config(folder / "bair.yaml")
