import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reelpack.config import encoder_cards as cards
from reelpack.config.encoder_cards import EncoderCard
from reelpack.core.errors import ClipError, UserError
from reelpack.encoders.feature_encoder import (
    FeatureEncoder,
    bare_network,
    check_tensors,
    filled,
    load_feature_encoder,
)
from reelpack.encoders.interface import encode_batch
from tests.support.feature_weights import pixels


class Means(nn.Module):
    """Mean per channel, once as it is and once doubled; notes what it was given."""

    def forward(self, x):
        self.seen = x
        mean = x.mean(tuple(range(2, x.ndim)))
        return torch.cat((mean, 2 * mean), dim=1)


@pytest.fixture
def card(monkeypatch):
    def register(**changes):
        made = EncoderCard(module="resnet152", width=6, cpu_batch=2, **changes)
        monkeypatch.setitem(cards.CARDS, "means", made)
        return FeatureEncoder("means", Means(), device="cpu")

    return register


def test_pixels_are_divided_then_normalised_per_channel(card):
    encoder = card(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    rows = encoder.encode(np.full((2, 4, 6, 3), 51, np.uint8))
    expected = (0.2 - np.array([0.1, 0.2, 0.3])) / [0.5, 1.0, 2.0]
    assert rows.dtype == encoder.dtype == np.float32
    assert np.allclose(rows, np.tile([*expected, *(2 * expected)], (2, 1)), atol=1e-6)


def test_colours_and_places_keep_their_order(card):
    encoder = card(window=3, side=8)
    frames = pixels(2, 3, 8, 8)
    encoder.encode(frames)
    seen = encoder.network.seen
    assert seen.shape == (2, 3, 3, 8, 8)
    assert seen.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(seen, torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 255)


def test_std_epsilon_is_added_in_float32():
    std = np.float32([0.229, 0.224, 0.225])
    assert ((std + np.float32(1e-8)) != std).any()
    encoder = FeatureEncoder("resnet152", Means(), device="cpu")
    frames = pixels(4, 5, 7)
    mean = np.float32([0.485, 0.456, 0.406])
    expected = (frames.astype(np.float32) / 255 - mean) / (std + np.float32(1e-8))
    found = encoder.normalised(torch.from_numpy(frames)).permute(0, 2, 3, 1).numpy()
    assert (found == expected).all()


def test_rows_have_unit_length_where_the_card_says_so(card):
    frames = pixels(2, 8, 8)
    plain, unit = card().encode(frames), card(unit_length=True).encode(frames)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1)
    assert np.allclose(unit, plain / np.linalg.norm(plain, axis=1, keepdims=True))


def test_windows_pass_in_batches_of_one_shape(card):
    encoder = card(window=2, side=8)
    windows = pixels(5, 2, 8, 8)
    rows = encode_batch(encoder, windows)
    assert rows.shape == (5, 6)
    assert encoder.network.seen.shape[0] == encoder.batch_size == 2
    mean = windows.mean((1, 2, 3)) / 255
    assert np.allclose(rows[:, :3], mean, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "side", "shape", "dtype"),
    [
        (1, 8, (2, 8, 9, 3), np.uint8),
        (1, 8, (2, 8, 8, 4), np.uint8),
        (1, 8, (2, 8, 8, 3), np.float32),
        (1, None, (2, 0, 8, 3), np.uint8),
        (1, 8, (2, 4, 8, 8, 3), np.uint8),
        (4, 8, (2, 8, 8, 3), np.uint8),
        (4, 8, (2, 3, 8, 8, 3), np.uint8),
    ],
)
def test_other_shapes_fail_the_clip(card, window, side, shape, dtype):
    encoder = card(window=window, side=side)
    with pytest.raises(ClipError, match=r"means takes uint8\[B, ") as error:
        encoder.encode(np.zeros(shape, dtype))
    assert error.value.failure == "encode"


def test_numbers_that_are_not_finite_fail_the_clip(card):
    with pytest.raises(ClipError, match="not finite"):
        card(std=(0.0, 1.0, 1.0)).encode(np.full((2, 8, 8, 3), 9, np.uint8))


def test_reduced_precision_is_for_gpus():
    with pytest.raises(UserError, match="fp16 needs a GPU; allowed on a CPU: fp32"):
        FeatureEncoder("s3d", Means(), device="cpu", precision="fp16")
    with pytest.raises(UserError, match="'int8' is unknown; allowed: fp32, fp16, bf16"):
        FeatureEncoder("s3d", Means(), device="cpu", precision="int8")


def test_reduced_precision_still_gives_float32(card):
    """By a CPU's autocast, which recipes may not ask for."""
    encoder = card(side=8)
    frames = pixels(2, 8, 8)
    convolution = nn.Conv2d(3, 6, 1)
    encoder.network = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    single = encoder.encode(frames)
    encoder.precision = "bf16"
    reduced = encoder.encode(frames)
    assert reduced.dtype == np.float32
    assert not (reduced == single).all()
    assert np.allclose(reduced, single, atol=0.02)


def test_encoders_of_tokens_have_no_rows():
    with pytest.raises(ValueError, match="tokens"):
        FeatureEncoder("dalle", Means(), device="cpu")


@pytest.fixture
def parts():
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return network.to("meta"), tensors


def test_filling_needs_no_counts_of_batches(parts, tmp_path):
    network, tensors = parts
    del tensors["1.num_batches_tracked"]
    filled(network, tensors, name="n", where=tmp_path)
    assert torch.equal(network[0].weight, tensors["0.weight"])
    assert not any(tensor.is_meta for tensor in network.state_dict().values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("1.bias"), r"1\.bias is missing, expected \(4,\)"),
        (lambda t: t.update(extra=torch.zeros(2)), r"extra is \(2,\), expected no such tensor"),
        (lambda t: t.update({"0.weight": torch.zeros(4, 3, 3, 3)}), r"\(4, 3, 3, 3\), expected"),
    ],
)
def test_every_name_and_shape_must_fit(parts, tmp_path, change, message):
    network, tensors = parts
    del tensors["1.num_batches_tracked"]
    change(tensors)
    with pytest.raises(UserError, match=f"w.pth: not the weights of n: tensor .*{message}"):
        check_tensors(network, tensors, name="n", where=tmp_path / "w.pth")


@pytest.mark.parametrize("name", [n for n, c in cards.CARDS.items() if c.width is not None])
def test_a_bare_network_has_no_values_but_all_names(name):
    network = bare_network(name)
    everything = [*network.parameters(), *network.buffers()]
    assert everything
    assert all(tensor.is_meta for tensor in everything)
    assert {name for name, _ in network.named_buffers()} <= network.state_dict().keys()


def test_unreadable_and_foreign_files_are_user_errors(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read"):
        load_feature_encoder({"name": "s3d"}, path, device="cpu")
    path.write_bytes(b"x" * 100)
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read"):
        load_feature_encoder({"name": "s3d"}, path, device="cpu")
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"not the weights of s3d: tensor a is \(1,\)"):
        load_feature_encoder({"name": "s3d"}, path, device="cpu")
