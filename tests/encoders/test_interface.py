import numpy as np
import pytest
import torch

from reelpack.core.errors import ClipError, UserError
from reelpack.encoders.interface import check_frames, encode_batch
from reelpack.encoders.load import load_encoder
from tests.support.averages import Averages


def rows(count):
    return [np.full((2, 2, 3), number + 1, dtype=np.uint8) for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_every_batch_has_one_shape_and_padding_is_cut(count):
    encoder = Averages()
    found = encode_batch(encoder, rows(count))
    assert found[:, 0].tolist() == list(range(1, count + 1))
    assert encoder.shapes == [(4, 2, 2, 3)] * -(-count // 4)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 12, 16, 3), np.uint8),
        ((1, 16, 20, 3), np.uint8),
        ((1, 0, 16, 3), np.uint8),
        ((16, 16, 3), np.uint8),
        ((1, 16, 16, 4), np.uint8),
        ((1, 16, 16, 3), np.float32),
    ],
)
def test_wrong_frames_fail_the_clip(shape, dtype):
    with pytest.raises(ClipError) as error:
        check_frames(np.zeros(shape, dtype), encoder="it", stride=8)
    assert error.value.failure == "encode"


def test_load_encoder_names_what_is_allowed(tmp_path):
    with pytest.raises(UserError, match="'abacus' is unknown; allowed: dalle, vqvae, resnet152"):
        load_encoder({"name": "abacus"}, tmp_path / "w", device="cpu")
    with pytest.raises(UserError, match="allowed: cpu, cuda"):
        load_encoder({"name": "dalle"}, tmp_path / "w", device="abacus")
    for name in ("dalle", "vqvae"):
        with pytest.raises(UserError, match=r"none\.safetensors"):
            load_encoder({"name": name}, tmp_path / "none.safetensors", device="cpu")


def test_a_missing_gpu_is_a_user_error(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU"):
        load_encoder({"name": "dalle"}, tmp_path / "w", device="cuda")


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_batch_that_does_not_fit_is_halved_for_good(count, capsys):
    encoder = Averages(batch_size=8, memory_rows=2)
    found = encode_batch(encoder, rows(count))
    assert found[:, 0].tolist() == list(range(1, count + 1))
    assert encoder.batch_size == 2
    assert {shape[0] for shape in encoder.shapes} == {2}
    assert capsys.readouterr().out.count("does not hold a batch") == 2


def test_memory_for_no_row_at_all_is_one_line():
    with pytest.raises(UserError, match="averages: the device has no memory left for a single row"):
        encode_batch(Averages(memory_rows=0), rows(2))


def test_a_batch_that_may_not_shrink_fails():
    encoder = Averages(batch_size=8, memory_rows=2)
    with pytest.raises(torch.OutOfMemoryError):
        encode_batch(encoder, rows(2), may_shrink=False)
    assert encoder.batch_size == 8


def test_other_errors_pass_through():
    class Broken(Averages):
        def encode(self, frames):
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        encode_batch(Broken(), rows(2))
