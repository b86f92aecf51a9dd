import pytest
import torch
from safetensors.torch import load_file, save_file

from reelpack.config.weights_registry import WeightsEntry
from reelpack.core.errors import UserError
from reelpack.encoders.weights import FEATURE_KINDS, convert
from reelpack.sources.weights import fetch_weights
from tests.support.dalle_weights import random_encoder, write


def entry(url):
    return WeightsEntry("w", url, "", "MIT", "")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "w.bin"


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pickled")
    encoder = random_encoder(1)
    return encoder, write(encoder, folder / "encoder.pkl", zipped=True)


def test_converts_to_the_same_bytes_every_time(pickled, target, tmp_path):
    encoder, path = pickled
    fetch_weights(entry(path.as_uri()), target)
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    convert(target, first, kind="dalle_encoder")
    convert(target, second, kind="dalle_encoder")
    assert first.read_bytes() == second.read_bytes()
    tensors = load_file(first)
    expected = encoder.state_dict()
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_conversion_opens_only_checked_files(pickled, target, tmp_path):
    _, path = pickled
    out = tmp_path / "out.safetensors"
    with pytest.raises(UserError, match=r"no encoder\.pkl\.sha256 beside it"):
        convert(path, out, kind="dalle_encoder")
    fetch_weights(entry(path.as_uri()), target)
    with target.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(UserError, match="fetch it again"):
        convert(target, out, kind="dalle_encoder")
    assert not out.exists()


def test_conversion_names_allowed_kinds(target, tmp_path):
    with pytest.raises(UserError, match="allowed: dalle_encoder, resnet152"):
        convert(target, tmp_path / "x", kind="resnet")


def test_conversion_refuses_another_architecture(target, tmp_path):
    encoder = random_encoder(1)
    del encoder.blocks.group_2.block_1.id_path
    path = write(encoder, tmp_path / "odd.pkl", zipped=True)
    fetch_weights(entry(path.as_uri()), target)
    with pytest.raises(UserError, match=r"group_2\.block_1\.id_path\.b is None"):
        convert(target, tmp_path / "out.safetensors", kind="dalle_encoder")


def foreign_state_dict(path):
    torch.save({"weight": torch.zeros(2, 3)}, path)


def foreign_safetensors(path):
    save_file({"weight": torch.zeros(2, 3)}, path)


@pytest.mark.parametrize("kind", FEATURE_KINDS)
@pytest.mark.parametrize(
    "write",
    [
        foreign_state_dict,
        foreign_safetensors,
        lambda path: path.write_bytes(b"<html>404</html>"),
        lambda path: path.write_bytes(b""),
    ],
    ids=["state dict", "safetensors", "page", "nothing"],
)
def test_conversion_refuses_other_files_in_one_line(target, tmp_path, kind, write):
    path, out = tmp_path / "odd", tmp_path / "out.safetensors"
    write(path)
    fetch_weights(entry(path.as_uri()), target)
    with pytest.raises(UserError, match=rf"{target.name}: ") as error:
        convert(target, out, kind=kind)
    assert "\n" not in str(error.value)
    assert not out.exists()
