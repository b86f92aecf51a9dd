"""Read numpy arrays from a pickle without running anything that the file names.

Caffe2's model files are such pickles, most of them written by Python 2. A pickled array is a call
of numpy's `_reconstruct` and a state (version, shape, dtype, Fortran order, bytes). Here stand-ins
take numpy's place: they note the state, check it, and make the array from its bytes alone; any other
name stops the reading before it is looked up.
"""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reelpack.core.errors import UserError

Array = npt.NDArray[Any]


def read_pickle(path: Path) -> Any:
    """Return what a pickle of plain containers and numeric numpy arrays holds.

    Args:
        path: file of `pickle.dump`, of Python 2 or 3, any protocol.

    Returns:
        dicts, lists, tuples, text (byte strings of Python 2 as Latin-1) and numbers as they are;
        arrays as `numpy.ndarray`, numpy's own numbers as arrays without dimensions.

    Raises:
        UserError: the file names any class or function but numpy's arrays, or is not such a file.
    """
    try:
        with path.open("rb") as stream:
            found = _ArrayUnpickler(stream, encoding="latin-1").load()
        return _take_arrays(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not a pickle of numpy arrays: {reason}") from error


class _Dtype:
    """A numeric dtype: `dtype(code, ...)`, then a state whose second part is the byte order."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch(r"[<>|=]?(f[248]|[iu][1248]|b1)", code):
            raise UserError(f"an array of dtype {code!r}; allowed: numbers")
        self.code = code.lstrip("<>|=")
        self.order = code[0] if code[0] in "<>" else "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "<"

    def make_array(self, data: bytes | str, shape: tuple[int, ...], order: str) -> Array:
        raw = data.encode("latin-1") if isinstance(data, str) else bytes(data)
        dtype = np.dtype(self.order + self.code)
        if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(raw):
            raise UserError(f"an array of shape {shape} and dtype {dtype} with {len(raw)} bytes")
        native = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
        return native.reshape(shape, order="F" if order == "F" else "C")


class _Array:
    """An array that is still without its state."""

    value: Array | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise UserError("an array without a dtype")
        self.value = dtype.make_array(data, tuple(map(int, shape)), "F" if fortran else "C")


class _Calls:
    """The functions that a pickle may call; bound methods, which a pickle cannot change."""

    def reconstruct(self, *_: object) -> _Array:
        return _Array()

    def scalar(self, dtype: _Dtype, data: bytes | str) -> Array:
        return dtype.make_array(data, (), "C")

    def no_bytes(self) -> bytes:
        return b""

    def encode(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise UserError(f"bytes in the encoding {encoding!r}; allowed: latin1")
        return text.encode("latin-1")


_CALLS = _Calls()
_MULTIARRAY = {"_reconstruct": _CALLS.reconstruct, "scalar": _CALLS.scalar}
_ADMITTED: dict[str, Any] = {
    # Up to protocol 2, Python 3 writes bytes as the encoding of text, and none as a call of `bytes`.
    "_codecs.encode": _CALLS.encode,
    "__builtin__.bytes": _CALLS.no_bytes,
    # Only an argument of _reconstruct, which does not look at it.
    "numpy.ndarray": None,
    "numpy.dtype": _Dtype,
    **{f"numpy.core.multiarray.{name}": call for name, call in _MULTIARRAY.items()},
    **{f"numpy._core.multiarray.{name}": call for name, call in _MULTIARRAY.items()},
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _ADMITTED[f"{module}.{name}"]
        except KeyError:
            raise UserError(
                f"the pickle asks for {module}.{name}, which numpy arrays do not need; nothing of"
                " it was run"
            ) from None


def _take_arrays(found: Any) -> Any:
    if isinstance(found, _Array):
        if found.value is None:
            raise UserError("an array without values")
        return found.value
    if isinstance(found, dict):
        return {key: _take_arrays(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(_take_arrays(value) for value in found)
    if isinstance(found, str | bytes | int | float | bool | np.ndarray | None):
        return found
    raise UserError(f"holds a {type(found).__name__}; allowed: containers, numbers and arrays")
