import pickle

import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders.vqvae import Architecture
from reelpack.lvt.published.vqvae_checkpoints import (
    FILE,
    load_published,
    read_checkpoint,
    save_published,
)
from reelpack.lvt.vqvae.one_pass import make_initial_model
from reelpack.lvt.vqvae.training_settings import VqvaeTrainSettings
from tests.support.dalle_weights import draw_frames

SIZES = Architecture(filters=16, residual_channels=6, layers=2, codebooks=2, codes=8)


def made(sizes=SIZES):
    return make_initial_model(VqvaeTrainSettings(sizes, image_size=16, steps=1, seed=5))


@pytest.mark.parametrize(
    "sizes",
    [
        SIZES,
        Architecture(filters=16, residual_channels=6, layers=1, codebooks=1, codes=8),
        Architecture(filters=8, residual_channels=1, layers=0, codebooks=4, codes=3),
    ],
)
def test_a_model_comes_back_from_the_three_files(tmp_path, sizes):
    model = made(sizes)
    save_published(model, tmp_path)
    back = load_published(tmp_path)
    assert back.architecture == sizes
    assert not back.training
    assert all(torch.equal(t, back.state_dict()[n]) for n, t in model.state_dict().items())
    frames = torch.from_numpy(draw_frames(0, 2, 16, 16))
    assert torch.equal(back.encode(frames), model.eval().encode(frames))


def test_files_have_the_published_names(tmp_path):
    save_published(made(), tmp_path)
    encoder, generator, codebook = (
        torch.load(tmp_path / net / "model_final.pth", weights_only=True)["model"]
        for net in ("netE", "netG", "netC")
    )
    assert {"layers.0.weight", "layers.4.bias", "layers.6.block.3.weight"} < encoder.keys()
    # Convolution, two blocks, then two transposed convolutions, each behind a ReLU.
    assert generator["layers.4.weight"].shape == (16, 8, 4, 4)
    assert generator["layers.6.weight"].shape == (8, 3, 4, 4)
    assert codebook.keys() == {
        f"ve.{n}.{name}"
        for n in range(2)
        for name in ("embedding.weight", "running_size", "running_sum")
    }


def test_one_codebook_has_no_number(tmp_path):
    save_published(made(Architecture(16, 6, 1, 1, 8)), tmp_path)
    assert "embedding.weight" in read_checkpoint(tmp_path / "netC" / FILE)


def test_prefixes_of_parallel_training_go(tmp_path):
    torch.save({"model": {"module.a": torch.ones(1)}, "iteration": 3}, tmp_path / FILE)
    assert read_checkpoint(tmp_path / FILE).keys() == {"a"}


class Harm:
    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"nonsense", "not a checkpoint of tensors alone"),
        ({"model": Harm()}, "not a checkpoint of tensors alone"),
        ({"model": {}}, "holds no parameters"),
        ([1], "holds no parameters"),
        ({"model": {"a": 1}}, "'a' is not a tensor"),
    ],
)
def test_other_files_are_user_errors(tmp_path, content, message, capsys):
    path = tmp_path / FILE
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path, pickle_module=pickle)
    with pytest.raises(UserError, match=message):
        read_checkpoint(path)
    assert "harm" not in capsys.readouterr().out


@pytest.mark.parametrize("net", ["netE", "netG", "netC"])
def test_files_that_make_no_model_are_user_errors(tmp_path, net):
    save_published(made(), tmp_path)
    state = read_checkpoint(tmp_path / net / FILE)
    torch.save({"model": {**state, "extra": torch.ones(1)}}, tmp_path / net / FILE)
    with pytest.raises(UserError, match=r"not a VQ-VAE of this kind.*extra"):
        load_published(tmp_path)
    torch.save({"model": {"other": torch.ones(1)}}, tmp_path / net / FILE)
    with pytest.raises(UserError, match="not a VQ-VAE of this kind"):
        load_published(tmp_path)
