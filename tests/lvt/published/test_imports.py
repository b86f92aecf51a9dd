"""Published checkpoints become models of this project, or one line says why not."""

from dataclasses import asdict

import pytest

from reelpack.core.results import canonical
from reelpack.encoders import vqvae
from reelpack.encoders.vqvae import Architecture
from reelpack.lvt.published import transformer_checkpoints, vqvae_checkpoints
from reelpack.lvt.transformer import model_files
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.lvt.transformer import tiny
from tests.lvt.transformer.commands import command

SIZES = Architecture(filters=8, residual_channels=4, layers=1, codebooks=2, codes=8)


def run(name, checkpoint, architecture, model):
    params = canonical({"architecture": architecture})
    return command(name, "--checkpoint", checkpoint, "--params", params, "--model", model)


def test_a_vqvae_is_imported_to_the_same_bytes(tmp_path):
    made = make_initial_model(VqvaeTrainSettings(SIZES, 16, 1))
    vqvae.save_model(made, tmp_path / "trained.safetensors")
    vqvae_checkpoints.save_published(made, tmp_path / "published")
    done = run("import_vqvae", tmp_path / "published", asdict(SIZES), tmp_path / "m.safetensors")
    assert done.returncode == 0, done.stderr
    trained = (tmp_path / "trained.safetensors").read_bytes()
    assert (tmp_path / "m.safetensors").read_bytes() == trained


def test_a_vqvae_of_other_sizes_is_one_line(tmp_path):
    vqvae_checkpoints.save_published(make_initial_model(VqvaeTrainSettings(SIZES, 16, 1)), tmp_path)
    wanted = asdict(SIZES) | {"layers": 2, "codes": 512}
    done = run("import_vqvae", tmp_path, wanted, tmp_path / "m.safetensors")
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path}: architecture: layers 1, the card says 2; codes 8, the card says 512\n",
    )
    assert not (tmp_path / "m.safetensors").exists()


def test_a_transformer_is_imported_to_the_same_bytes(tmp_path):
    made = tiny.model(tiny.BOTH)
    model_files.save_model(made, tmp_path / "trained.safetensors")
    transformer_checkpoints.save_published(made, tmp_path / "model_final.pth")
    sizes = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(tiny.BOTH).items()}
    model = tmp_path / "m.safetensors"
    done = run("import_transformer", tmp_path / "model_final.pth", sizes, model)
    assert done.returncode == 0, done.stderr
    assert model.read_bytes() == (tmp_path / "trained.safetensors").read_bytes()


@pytest.mark.parametrize("change", [{"width": 18}, {"stride": [4, 1, 1]}, {"codes": 6}])
def test_a_transformer_of_other_sizes_is_one_line(tmp_path, change):
    transformer_checkpoints.save_published(tiny.model(tiny.BOTH), tmp_path / "model_final.pth")
    sizes = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(tiny.BOTH).items()}
    path = tmp_path / "model_final.pth"
    done = run("import_transformer", path, sizes | change, tmp_path / "m.safetensors")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}: not a video transformer of these sizes: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "m.safetensors").exists()
