"""The command that exchanges models with the published code."""

from functools import partial

import pytest
import torch
import yaml

from reelpack.config.schema import check, load_yaml
from reelpack.config.transformer_sizes import Sizes
from reelpack.encoders.vqvae import Architecture, load_model, save_model
from reelpack.lvt.transformer import model_files
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.lvt.published.test_training_configs import BASE, CHANGE, TRANSFORMER
from tests.lvt.transformer import tiny
from tests.lvt.transformer.commands import command

convert = partial(command, "convert_lvt")


def test_a_vqvae_goes_there_and_back(tmp_path):
    sizes = Architecture(filters=16, residual_channels=6, layers=1, codebooks=2, codes=8)
    here, there, back = (tmp_path / name for name in ("a.safetensors", "lvt", "b.safetensors"))
    save_model(make_initial_model(VqvaeTrainSettings(sizes, image_size=16, steps=1)), here)
    for words in (("export-vqvae", here, there), ("vqvae", there, back)):
        done = convert(*words)
        assert done.returncode == 0, done.stderr
    assert (there / "netC" / "model_final.pth").is_file()
    assert here.read_bytes() == back.read_bytes()
    assert load_model(back).architecture == sizes


def test_a_transformer_goes_there_and_back(tmp_path):
    model = tiny.model(tiny.SPATIAL)
    here, there, back = (tmp_path / name for name in ("a.safetensors", "b.pth", "c.safetensors"))
    model_files.save_model(model, here)
    config = yaml.safe_load(TRANSFORMER)
    config["MODEL"]["AUTOREGRESSIVE"]["VT"] |= {
        "NC": 2,
        "NV": 5,
        "DE": 6,
        "D": 12,
        "DA": 4,
        "N_HEAD_E": "(2, 2)",
        "N_HEAD_D": "(2, 2)",
        "BLOCKS_E": "((2,2,2),(2,2,2))",
        "BLOCKS_D": "((2,2,2),(2,2,2))",
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = convert("export-transformer", here, there)
    assert done.returncode == 0, done.stderr
    assert torch.load(there, weights_only=True)["model"].keys() > model.state_dict().keys()
    done = convert("transformer", there, back, "--config", tmp_path / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert here.read_bytes() == back.read_bytes()
    wrong = convert("transformer", there, back, "--preset", "DSFVT")
    assert wrong.returncode == 2
    assert "not a video transformer of these sizes" in wrong.stderr


@pytest.mark.parametrize("kind", ["vqvae", "transformer"])
def test_configurations_become_cards(tmp_path, kind):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "vqvae.yaml").write_text(CHANGE)
    (tmp_path / "transformer.yaml").write_text(TRANSFORMER)
    data = ["--dataset", "bair"] if kind == "vqvae" else []
    done = convert("config", tmp_path / f"{kind}.yaml", tmp_path / "card.yaml", *data)
    assert done.returncode == 0, done.stderr
    card = load_yaml(tmp_path / "card.yaml")
    if kind == "vqvae":
        assert check("model", card, where="card")["architecture"]["layers"] == 2
    else:
        assert Sizes.from_mapping(card["architecture"]).slices == 4
