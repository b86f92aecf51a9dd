import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

from reelpack.core.errors import ClipError, UserError
from reelpack.encoders import load_encoder
from reelpack.encoders.interface import encode_batch
from reelpack.encoders.vqvae import (
    VQVAE,
    Architecture,
    load_model,
    save_model,
    to_pixels,
    to_signed,
)
from tests.support.dalle_weights import draw_frames

SMALL = Architecture(filters=16, residual_channels=8, layers=2, codebooks=2, codes=32)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = VQVAE(SMALL).eval()
    with torch.no_grad():
        features = made.encoder(to_signed(torch.from_numpy(draw_frames(0, 2, 32, 32))))
        for part, vectors in zip(made.codebook.parts(), made.codebook.split(features), strict=True):
            part.embedding.weight.copy_(vectors[torch.randperm(len(vectors))[:32]])
    return made


@pytest.fixture
def saved(model, tmp_path):
    save_model(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def published(state, net, frames):
    """The published model written out, layer by layer, from its state dict."""

    def conv(x, name, **options):
        return F.conv2d(
            x, state[f"{net}.layers.{name}.weight"], state[f"{net}.layers.{name}.bias"], **options
        )

    x = conv(frames, "0", stride=2, padding=1).relu()
    x = conv(x, "2", stride=2, padding=1).relu()
    x = conv(x, "4", padding=1)
    for layer in (5, 6):
        x = x.relu()
        x = x + conv(conv(x, f"{layer}.block.1", padding=1).relu(), f"{layer}.block.3")
    return x


def test_the_encoder_computes_the_published_structure(model):
    frames = torch.from_numpy(draw_frames(1, 2, 32, 24))
    with torch.no_grad():
        got = model.encoder(to_signed(frames))
        want = published(
            model.state_dict(), "encoder", (frames.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        )
    torch.testing.assert_close(got, want)


def test_the_sizes_and_names_are_those_of_the_published_checkpoints():
    shapes = {name: list(t.shape) for name, t in VQVAE(Architecture()).state_dict().items()}
    assert shapes["encoder.layers.0.weight"] == [128, 3, 4, 4]
    assert shapes["encoder.layers.8.block.3.weight"] == [256, 128, 1, 1]
    assert shapes["generator.layers.1.block.1.weight"] == [128, 256, 3, 3]
    assert shapes["generator.layers.6.weight"] == [256, 128, 4, 4]
    assert shapes["generator.layers.8.weight"] == [128, 3, 4, 4]
    assert shapes["codebook.ve.3.embedding.weight"] == [512, 64]
    assert shapes["codebook.ve.3.running_size"] == [512]
    assert shapes["codebook.ve.3.running_sum"] == [512, 64]
    assert len(shapes) == 2 * (3 + 2 * 4) * 2 + 4 * 3


def test_tokens_are_the_nearest_codes_and_decode_to_them(model):
    frames = torch.from_numpy(draw_frames(2, 2, 16, 16))
    with torch.no_grad():
        features = model.encoder(to_signed(frames))
        tokens = model.encode(frames)
        vectors = model.codebook.vectors(tokens)
    assert tokens.shape == (2, 2, 4, 4)
    for number, part in enumerate(model.codebook.parts()):
        piece = features[:, 8 * number : 8 * number + 8].permute(0, 2, 3, 1).reshape(-1, 8)
        distances = torch.cdist(piece.double(), part.embedding.weight.double())
        nearest = distances.argmin(1).view(2, 4, 4)
        assert torch.equal(tokens[:, number], nearest)
        chosen = part.embedding.weight[nearest].permute(0, 3, 1, 2)
        assert torch.equal(vectors[:, 8 * number : 8 * number + 8], chosen)


def test_pixels_go_there_and_back():
    values = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    back = to_pixels(to_signed(values) + 1e-4)
    assert torch.equal(back, values)
    outside = torch.tensor([-1.5, 1.5]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    assert to_pixels(outside)[0, 0, :, 0].tolist() == [0, 255]


def test_a_saved_model_encodes_and_reconstructs(model, saved):
    encoder = load_encoder({"name": "vqvae", "model": "any"}, saved, device="cpu")
    frames = draw_frames(3, 6, 32, 32)
    tokens = encode_batch(encoder, frames)
    with torch.no_grad():
        expected = model.encode(torch.from_numpy(frames)).numpy()
    assert tokens.dtype == np.int64
    assert tokens.shape == (6, 2, 8, 8)
    assert (tokens == expected).all()
    assert len(np.unique(tokens)) > 20
    made = encoder.decode(tokens)
    assert made.shape == frames.shape
    assert made.dtype == np.uint8


def test_a_token_depends_on_its_picture_alone(saved):
    encoder = load_encoder({"name": "vqvae"}, saved, device="cpu")
    first, *others = draw_frames(4, 2 * encoder.batch_size, 64, 64)
    features = []
    for position in range(encoder.batch_size):
        batch = np.stack(others[position : position + encoder.batch_size])
        batch[position] = first
        with torch.inference_mode():
            features.append(encoder.model.encoder(to_signed(torch.from_numpy(batch)))[position])
    assert all(torch.equal(features[0], other) for other in features[1:])


def test_saving_is_byte_identical_and_holds_the_sizes_once(model, saved, tmp_path):
    again = tmp_path / "again.safetensors"
    save_model(load_model(saved), again)
    assert again.read_bytes() == saved.read_bytes()
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["reelpack"]
    assert json.loads(metadata["reelpack"])["architecture"] == asdict(SMALL)


def test_files_without_a_model_are_user_errors(saved, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"other\.safetensors"):
        load_model(path)
    save_file({"a": torch.zeros(1)}, path, metadata={"reelpack": '{"architecture": {}}'})
    with pytest.raises(UserError, match=r"other\.safetensors"):
        load_model(path)


def test_sides_must_be_multiples_of_4(saved):
    encoder = load_encoder({"name": "vqvae"}, saved, device="cpu")
    with pytest.raises(ClipError, match="multiples of 4, not 32x30"):
        encode_batch(encoder, draw_frames(5, 1, 30, 32))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"filters": 30, "codebooks": 4}, "filters: 30"),
        ({"codes": 0}, "codes: 0"),
        ({"layers": True}, "layers: True"),
        ({"depth": 3}, "depth: unknown key; allowed: filters"),
    ],
)
def test_impossible_sizes_are_user_errors(sizes, message):
    with pytest.raises(UserError, match=message):
        Architecture.from_mapping(sizes)
