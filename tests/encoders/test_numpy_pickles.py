import os
import pickle

import numpy as np
import pytest

from reelpack.core.errors import UserError
from reelpack.encoders.numpy_pickles import read_pickle
from tests.support.feature_weights import python2_pickle

HELD = {
    "floats": np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(5, dtype=">i4"),
    "whole": np.array(7, np.int64),
    "number": np.float64(0.25),
    "empty": np.zeros((0, 3), np.float16),
    "nested": [{"mask": np.array([True, False])}, ("text", 1, 2.5, None, True)],
}


def same(found, held):
    if isinstance(held, np.ndarray | np.generic):
        assert found.dtype == held.dtype.newbyteorder("=")
        assert found.shape == held.shape
        assert (found == held).all()
    elif isinstance(held, dict):
        assert found.keys() == held.keys()
        for key in held:
            same(found[key], held[key])
    elif isinstance(held, list | tuple):
        assert type(found) is type(held)
        for one, other in zip(found, held, strict=True):
            same(one, other)
    else:
        assert found == held


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_reads_what_python_3_writes(tmp_path, protocol):
    path = tmp_path / "p.pkl"
    path.write_bytes(pickle.dumps(HELD, protocol=protocol))
    same(read_pickle(path), HELD)


def test_reads_what_python_2_writes(tmp_path):
    path = tmp_path / "p.pkl"
    path.write_bytes(python2_pickle(HELD))
    assert b"numpy.core.multiarray" in path.read_bytes()
    same(read_pickle(path), HELD)


class Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_runs_nothing_that_the_file_asks_for(tmp_path):
    flag, path = tmp_path / "ran", tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps({"blobs": Runs(f"touch '{flag}'")}, protocol=2))
    with pytest.raises(
        UserError, match=r"bad\.pkl: the pickle asks for (posix|nt)\.system"
    ) as error:
        read_pickle(path)
    assert not flag.exists()
    assert "\n" not in str(error.value)
    pickle.loads(path.read_bytes())
    assert flag.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(V1\ntR.",
        b"cnumpy\nload\n(Vx\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n(Vx\ntR.",
        b"\x80\x04\x8c\x0bnumpy._core\x8c\x14multiarray.fromfile\x93.",
        b"(Vls\nios\nsystem\n.",
        b"c_codecs\nencode\n(V1\nVzlib\ntR.",
    ],
)
def test_refuses_other_names_and_encodings(tmp_path, code):
    path = tmp_path / "bad.pkl"
    path.write_bytes(code)
    with pytest.raises(UserError, match=r"bad\.pkl: "):
        read_pickle(path)


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR"
DTYPE = b"cnumpy\ndtype\n(V%s\nI0\nI1\ntR"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (RECONSTRUCT + b".", "an array without values"),
        (RECONSTRUCT + b"(I1\n(I2\nt" + DTYPE % b"O8" + b"I0\n(ltb.", "dtype 'O8'; allowed: num"),
        (RECONSTRUCT + b"(I1\n(I9\nt" + DTYPE % b"f4" + b"I0\nVabcd\ntb.", "with 4 bytes"),
        (RECONSTRUCT + b"(I1\n(I-1\nt" + DTYPE % b"f4" + b"I0\nVabcd\ntb.", "with 4 bytes"),
        (RECONSTRUCT + b"(I1\n(I1\ntVf4\nI0\nVabcd\ntb.", "an array without a dtype"),
        (DTYPE % b"f4" + b".", "holds a _Dtype"),
    ],
)
def test_refuses_arrays_that_are_none(tmp_path, code, message):
    path = tmp_path / "bad.pkl"
    path.write_bytes(code)
    with pytest.raises(UserError, match=f"bad.pkl: .*{message}"):
        read_pickle(path)


def test_one_file_cannot_change_how_the_next_is_read(tmp_path):
    path = tmp_path / "bad.pkl"
    # BUILD with slot state sets attributes on whatever the pickle named: here on the two stand-ins.
    for name in (b"numpy\ndtype", b"numpy\nndarray", b"numpy.core.multiarray\nscalar"):
        path.write_bytes(b"\x80\x02c" + name + b"\n(N}Vcode\nVi8\nstb.")
        with pytest.raises(UserError):
            read_pickle(path)
    path.write_bytes(pickle.dumps(HELD, protocol=2))
    same(read_pickle(path), HELD)


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x02", pickle.dumps(HELD)[:-200]])
def test_refuses_other_files(tmp_path, data):
    path = tmp_path / "odd.pkl"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"odd\.pkl: not a pickle of numpy arrays"):
        read_pickle(path)
