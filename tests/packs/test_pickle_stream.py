"""Pickles written entry by entry are what `pickle.load` reads, and are read back entry by entry."""

import io
import pickle
import pickletools

import numpy as np
import pytest

from reelpack.packs.pickle_stream import DictWriter, read_arrays, read_texts

TEXTS = {"a": ["", "x" * 300], "ü/😀 'b\"": [], "c": ["1"]}
ARRAYS = {
    "a": np.arange(245, dtype=np.int16).reshape(5, 7, 7),
    "b": np.full((1, 300), -3, np.int16),
    "c": np.zeros((0, 7, 7), np.int16),
}


def written(values) -> bytes:
    stream = io.BytesIO()
    writer = DictWriter(stream)
    for key, value in values.items():
        if isinstance(value, list):
            writer.add_texts(key, value)
        else:
            writer.add_array(key, value)
    writer.close()
    return stream.getvalue()


class OnlyArrays(pickle.Unpickler):
    """Admits what arrays are made of, and nothing else."""

    def find_class(self, module, name):
        assert (module, name) in {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
        return super().find_class(module, name)


def test_lists_of_strings():
    data = written(TEXTS)
    assert pickle.loads(data) == TEXTS
    assert dict(read_texts(io.BytesIO(data))) == TEXTS
    assert not any(opcode.name in ("GLOBAL", "REDUCE") for opcode, _, _ in pickletools.genops(data))


def test_arrays():
    data = written(ARRAYS)
    for found in (
        OnlyArrays(io.BytesIO(data)).load(),
        dict(read_arrays(io.BytesIO(data))),
    ):
        assert list(found) == list(ARRAYS)
        for key, array in ARRAYS.items():
            assert found[key].dtype == np.int16
            np.testing.assert_array_equal(found[key], array)


def test_an_array_of_another_layout_is_written_in_c_order():
    turned = ARRAYS["a"].transpose(2, 0, 1)
    np.testing.assert_array_equal(pickle.loads(written({"a": turned}))["a"], turned)


@pytest.mark.parametrize(("values", "read"), [(TEXTS, read_texts), (ARRAYS, read_arrays)])
def test_a_cut_or_changed_file_is_noticed(values, read):
    data = written(values)
    for cut in range(len(data)):
        with pytest.raises((EOFError, ValueError)):
            list(read(io.BytesIO(data[:cut])))
    with pytest.raises(ValueError, match="neither an entry nor the end"):
        list(read(io.BytesIO(data + b".")))
    with pytest.raises(ValueError, match="not as it was written"):
        list(read(io.BytesIO(pickle.dumps(values))))
