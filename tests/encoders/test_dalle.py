import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from reelpack.core.errors import ClipError, UserError
from reelpack.encoders import load_encoder
from reelpack.encoders.interface import encode_batch
from tests.support.dalle_weights import draw_frames, package_tokens, random_encoder


def ours(encoder, folder):
    path = folder / "encoder.safetensors"
    save_file({name: t.contiguous() for name, t in encoder.state_dict().items()}, path)
    return load_encoder({"name": "dalle"}, path, device="cpu")


@pytest.mark.parametrize(
    ("seed", "blocks", "height", "width"),
    [(0, 1, 64, 64), (1, 1, 32, 48), (2, 2, 64, 40), (3, 3, 8, 8), (4, 2, 128, 128)],
)
def test_tokens_equal_the_package(tmp_path, seed, blocks, height, width):
    theirs = random_encoder(seed, blocks=blocks)
    structured = draw_frames(seed, 3, height, width)
    noise = np.random.default_rng(seed).integers(0, 256, structured.shape, dtype=np.uint8)
    frames = np.concatenate([structured, noise])
    tokens = encode_batch(ours(theirs, tmp_path), frames)
    assert tokens.dtype == np.int16
    assert tokens.shape == (6, height // 8, width // 8)
    assert (tokens == package_tokens(theirs, frames)).all()
    assert len(np.unique(tokens)) > min(20, tokens.size // 4)


def test_a_token_depends_on_its_frame_alone(tmp_path):
    encoder = ours(random_encoder(5), tmp_path)
    encoder.batch_size = 4
    first, *others = draw_frames(5, 7, 64, 64)
    with torch.inference_mode():
        features = []
        for position in range(4):
            batch = np.stack([*others[position : position + 3]])
            batch = np.insert(batch, position, first, axis=0)
            pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(255)
            features.append(encoder.features(pixels)[position])
    assert all(torch.equal(features[0], other) for other in features[1:])


def test_the_published_sizes_fit_int16(tmp_path):
    theirs = random_encoder(6, vocabulary=8192)
    theirs.blocks.output.conv.b.data[8191] = 1e6
    tokens = encode_batch(ours(theirs, tmp_path), draw_frames(6, 1, 16, 16))
    assert (tokens == 8191).all()


def test_sides_must_be_multiples_of_8(tmp_path):
    encoder = ours(random_encoder(7), tmp_path)
    with pytest.raises(ClipError, match="multiples of 8, not 44x64"):
        encode_batch(encoder, draw_frames(7, 1, 64, 44))


def test_foreign_weights_are_a_user_error(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"other\.safetensors.*blocks\.input\.w"):
        load_encoder({"name": "dalle"}, path, device="cpu")
    path.write_bytes(b"no safetensors")
    with pytest.raises(UserError, match=r"other\.safetensors"):
        load_encoder({"name": "dalle"}, path, device="cpu")
