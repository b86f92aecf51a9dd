import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict

import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.encoders.dalle import PICKLED_CLASSES as ENCODER
from reelpack.encoders.pickles import read_module, read_state_dict
from tests.support.dalle_weights import random_encoder, write


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_every_tensor_of_a_whole_module(tmp_path, zipped):
    encoder = random_encoder(0)
    tensors = read_module(write(encoder, tmp_path / "e.pkl", zipped=zipped), classes=ENCODER)
    expected = encoder.state_dict()
    assert list(tensors) == list(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_keeps_buffers_and_shared_storage(tmp_path):
    module = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Identity())
    module.register_buffer("part", torch.arange(12.0).view(3, 4).t()[1:])
    tensors = read_module(write(module, tmp_path / "m.pkl", zipped=True), classes=frozenset())
    assert torch.equal(tensors["part"], torch.arange(12.0).view(3, 4).t()[1:])


class Runs:
    """Asks the unpickler to run a command."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def attack(path, payload, *, zipped):
    module = random_encoder(0)
    module.extra = payload
    return write(module, path, zipped=zipped)


@pytest.mark.parametrize("zipped", [True, False])
def test_runs_nothing_that_the_file_asks_for(tmp_path, zipped):
    flag = tmp_path / "ran"
    path = attack(tmp_path / "bad.pkl", Runs(f"touch '{flag}'"), zipped=zipped)
    with pytest.raises(UserError, match=r"bad\.pkl.*asks for (posix|nt)\.system") as error:
        read_module(path, classes=ENCODER)
    assert not flag.exists()
    assert "\n" not in str(error.value)
    torch.load(path, weights_only=False)
    assert flag.exists()


def in_zip(path, data):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return path


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(V1\ntR.",
        b"cbuiltins\ngetattr\n(ctorch\nload\nVx\ntR.",
        b"ctorch.hub\nload\n(Vx\ntR.",
        b"cfunctools\npartial\n(cos\nsystem\ntR.",
        b"\x80\x04\x8c\x0ctorch._utils\x8c\x1b_rebuild_tensor_v2.__class__\x93.",
        b"(Vls\nios\nsystem\n.",
        b"\x82\x01.",
    ],
)
def test_refuses_other_names_in_any_opcode(tmp_path, code):
    with pytest.raises(UserError, match=r"bad\.pkl"):
        read_module(in_zip(tmp_path / "bad.pkl", b"\x80\x02" + code), classes=ENCODER)


def test_refuses_to_call_a_stand_in(tmp_path):
    code = b"\x80\x02cdall_e.encoder\nEncoder\n)R."
    with pytest.raises(UserError, match="calls a class"):
        read_module(in_zip(tmp_path / "bad.pkl", code), classes=ENCODER)


def test_one_file_cannot_change_how_the_next_is_read(tmp_path):
    # BUILD with slot state sets attributes on whatever the pickle named, here a class.
    code = b"\x80\x02cdall_e.encoder\nEncoder\n(N}Vpoison\nI1\nstb."
    with pytest.raises(UserError):
        read_module(in_zip(tmp_path / "bad.pkl", code), classes=ENCODER)
    assert not hasattr(torch._utils._rebuild_tensor_v2, "poison")
    good = write(random_encoder(0), tmp_path / "good.pkl", zipped=True)
    assert read_module(good, classes=ENCODER)


def test_refuses_classes_that_this_kind_does_not_need(tmp_path):
    path = write(random_encoder(0), tmp_path / "e.pkl", zipped=True)
    with pytest.raises(UserError, match=r"asks for dall_e\.encoder\.Encoder"):
        read_module(path, classes=frozenset({"dall_e.utils.Conv2d"}))


def test_refuses_what_is_not_a_module(tmp_path):
    path = tmp_path / "tensors.pkl"
    torch.save(OrderedDict(a=torch.zeros(2)), path)
    with pytest.raises(UserError, match="holds no module"):
        read_module(path, classes=ENCODER)


def test_refuses_a_module_inside_itself(tmp_path):
    module = torch.nn.Sequential()
    module._modules["again"] = module
    path = write(module, tmp_path / "loop.pkl", zipped=True)
    with pytest.raises(UserError, match="holds no module"):
        read_module(path, classes=frozenset())


def tar_bytes():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data", [b"", b"not a pickle", pickle.dumps([1], protocol=2), b"PK\x03\x04broken", tar_bytes()]
)
def test_refuses_other_files(tmp_path, data):
    path = tmp_path / "odd.pkl"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"odd\.pkl"):
        read_module(path, classes=ENCODER)


def test_refuses_torchscript(tmp_path):
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("script/data.pkl", b"\x80\x02N.")
        archive.writestr("script/constants.pkl", b"\x80\x02).")
    with pytest.raises(UserError, match="TorchScript"):
        read_module(path, classes=ENCODER)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_cut_file_is_a_user_error(tmp_path, zipped):
    path = write(random_encoder(0), tmp_path / "cut.pkl", zipped=zipped)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"cut\.pkl"):
        read_module(path, classes=ENCODER)


STATE = OrderedDict(a=torch.arange(6.0).view(2, 3), b=torch.tensor(3))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [True, False])
def test_reads_a_state_dict(tmp_path, zipped, prefix, wrapped):
    held = {f"{prefix}{name}": tensor for name, tensor in STATE.items()}
    held = {"epoch": 3, "state_dict": held, "optimizer": {}} if wrapped else held
    path = tmp_path / "s.pth"
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    found = read_state_dict(path)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_reads_a_module_s_own_state_dict(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    path = tmp_path / "s.pth"
    torch.save(module.state_dict(), path)
    found = read_state_dict(path)
    assert all(torch.equal(found[name], tensor) for name, tensor in module.state_dict().items())
    assert found.keys() == module.state_dict().keys()


class Early:
    """A tensor as torch before 0.4 pickled it."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        tensor = self.tensor
        parts = (tensor.storage(), 0, tuple(tensor.size()), tensor.stride())
        return torch._utils._rebuild_tensor, parts


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_reads_the_first_form_of_tensors(tmp_path):
    path = tmp_path / "early.pth"
    held = {"state_dict": {"a": Early(STATE["a"])}}
    torch.save(held, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_state_dict(path)["a"], STATE["a"])


def test_a_prefix_that_not_all_have_is_a_name(tmp_path):
    path = tmp_path / "s.pth"
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, path)
    assert read_state_dict(path).keys() == {"module.a", "b"}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_runs_nothing_either(tmp_path, zipped):
    flag, path = tmp_path / "ran", tmp_path / "bad.pth"
    held = {**STATE, "extra": Runs(f"touch '{flag}'")}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"bad\.pth: the pickle asks for (posix|nt)\.system"):
        read_state_dict(path)
    assert not flag.exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([torch.zeros(1)], "holds no state dict, but a list"),
        ({}, "holds no state dict"),
        ({"a": torch.zeros(1), "epoch": 3}, "'epoch' is a int"),
        ({1: torch.zeros(1)}, "1 is a Tensor"),
        (torch.nn.Sequential(), "asks for torch.nn.modules.container.Sequential"),
    ],
)
def test_refuses_what_is_no_state_dict(tmp_path, held, message):
    path = tmp_path / "odd.pth"
    torch.save(held, path)
    with pytest.raises(UserError, match=rf"odd\.pth: .*{message}"):
        read_state_dict(path)


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"PK\x03\x04broken"])
def test_a_broken_state_dict_is_a_user_error(tmp_path, data):
    path = tmp_path / "odd.pth"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"odd\.pth"):
        read_state_dict(path)
