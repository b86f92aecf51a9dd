import io
import pickle
import zipfile

import pytest
import torch
from torch import nn

from reelpack.core.errors import UserError
from reelpack.encoders.torchscript import read_torchscript

# torch deprecates TorchScript; published archives stay what they are.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.sizes = [1, 2, 3]
        self.ratio = 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x)) * self.scale + float(self.sizes[0])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Layer(), nn.ReLU())
        self.register_buffer("resolution", torch.tensor(224))
        self.register_buffer("part", torch.arange(12.0).view(3, 4).t()[1:])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.fixture
def archive(tmp_path):
    """A scripted or traced network in half or full precision, and what it holds."""

    def make(*, traced=False, half=False):
        torch.manual_seed(0)
        net = Net().eval()
        module = torch.jit.trace(net, torch.zeros(2, 3)) if traced else torch.jit.script(net)
        module = module.half() if half else module
        path = tmp_path / "net.pt"
        torch.jit.save(module, path)
        return path, torch.jit.load(path).state_dict()

    return make


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_reads_what_torch_reads(archive, traced, half):
    path, expected = archive(traced=traced, half=half)
    found = read_torchscript(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def replaced(path, changes):
    """Rewrite members of an archive; None leaves one out."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    root = next(iter(members)).split("/")[0]
    with zipfile.ZipFile(path, "w") as new:
        for name, data in {**members, **{f"{root}/{k}": v for k, v in changes.items()}}.items():
            if data is not None:
                new.writestr(name, data)


def test_the_program_is_not_run_or_even_read(archive):
    path, expected = archive()
    with zipfile.ZipFile(path) as old:
        code = [name.split("/", 1)[1] for name in old.namelist() if "/code/" in name]
    assert code
    replaced(path, dict.fromkeys(code, b"this is no program ("))
    assert read_torchscript(path).keys() == expected.keys()


@pytest.mark.parametrize(
    "code",
    [
        b"cposix\nsystem\n(Vls\ntR.",
        b"cbuiltins\neval\n(V1\ntR.",
        b"ctorch\nload\n(Vx\ntR.",
        b"ctorch.jit._pickle\nbuild_tensor_from_id\n(I1\ntR.",
        b"(Vls\nios\nsystem\n.",
    ],
)
def test_refuses_other_names(archive, code):
    path, _ = archive()
    replaced(path, {"data.pkl": b"\x80\x02" + code})
    with pytest.raises(UserError, match=r"net\.pt: the archive asks for \S+, .*nothing of it"):
        read_torchscript(path)


def tensor(*, storage=b"FloatStorage", count=4, size=b"(I2\nI2\nt", stride=b"(I2\nI1\nt", offset=0):
    """A module of class __torch__.M whose attribute `w` is a tensor of storage 0."""
    pid = b"(Vstorage\nctorch\n%s\nV0\nVcpu\nI%d\ntQ" % (storage, count)
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(%sI%d\n%s%sI00\n}tR" % (
        pid,
        offset,
        size,
        stride,
    )
    return b"\x80\x02c__torch__\nM\n)\x81}Vw\n" + rebuilt + b"sb."


def archived(path, data, numbers=b"\0" * 16):
    with zipfile.ZipFile(path, "w") as new:
        for name, content in (
            ("data.pkl", data),
            ("constants.pkl", b"\x80\x02)."),
            ("data/0", numbers),
        ):
            new.writestr(f"net/{name}", content)
    return path


def test_reads_a_tensor_written_by_hand(tmp_path):
    numbers = torch.arange(4.0).numpy().tobytes()
    found = read_torchscript(archived(tmp_path / "net.pt", tensor(), numbers))
    assert torch.equal(found["w"], torch.tensor([[0.0, 1], [2, 3]]))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 5},
        {"size": b"(I2\nI3\nt"},
        {"stride": b"(I3\nI1\nt"},
        {"offset": 1},
        {"offset": -1},
        {"size": b"(I100000000\nI100000000\nt", "stride": b"(I0\nI0\nt"},
        {"storage": b"QInt8Storage"},
        {"storage": b"LongStorage"},
    ],
)
def test_refuses_tensors_beyond_their_numbers(tmp_path, changes):
    path = archived(tmp_path / "net.pt", tensor(**changes))
    with pytest.raises(UserError, match=r"net\.pt: ") as error:
        read_torchscript(path)
    assert "\n" not in str(error.value)


def test_refuses_other_byte_orders_and_missing_numbers(archive):
    path, _ = archive()
    replaced(path, {"byteorder": b"big"})
    with pytest.raises(UserError, match="allowed: little-endian"):
        read_torchscript(path)
    path, _ = archive()
    replaced(path, {"data/0": None})
    with pytest.raises(UserError, match=r"net\.pt: not a TorchScript archive"):
        read_torchscript(path)


def plain_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as new:
        new.writestr("net/data.pkl", pickle.dumps({}))
    return stream.getvalue()


@pytest.mark.parametrize("data", [b"", b"no zip", pickle.dumps([1]), plain_zip()])
def test_refuses_other_files(tmp_path, data):
    path = tmp_path / "odd.pt"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"odd\.pt: not a TorchScript archive"):
        read_torchscript(path)


def test_refuses_an_archive_of_something_else(tmp_path):
    path = archived(tmp_path / "net.pt", b"\x80\x02}.")
    with pytest.raises(UserError, match="not a TorchScript archive of a module, but of a dict"):
        read_torchscript(path)


def test_a_cut_file_is_a_user_error(archive):
    path, _ = archive()
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"net\.pt: not a TorchScript archive"):
        read_torchscript(path)
