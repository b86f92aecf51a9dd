"""Pickles of one dictionary, written and read entry by entry: memory holds one entry.

`pickle.load` gives back `{str: [str, ...]}` or `{str: int16 array}`. They name nothing but, for arrays,
numpy's three usual callables, under the names that every numpy since 1.0 knows. The reader here is
for these files alone: it runs nothing, and whatever else it meets is damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

# The opcodes are those of the module pickletools.
_HEAD = b"\x80\x03}"
_TEXT, _SET_ITEM, _STOP = b"X", b"s", b"."
_LIST, _APPENDS = b"](", b"e"
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
_TYPE = b"cnumpy\ndtype\nX\x02\x00\x00\x00i2\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNN" + (
    b"J\xff\xff\xff\xff" * 2 + b"K\x00tb\x89"
)
_INTEGER, _SHAPE_END, _BYTES, _BUILD = b"J", b"t", b"B", b"tb"
_LARGEST = (1 << 32) - 1


class DictWriter:
    """Writes a dictionary; `close` ends it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.write(_HEAD)

    def add_texts(self, key: str, texts: Sequence[str]) -> None:
        """Add an entry whose value is a list of strings."""
        self._stream.write(_text(key) + _LIST)
        for text in texts:
            self._stream.write(_text(text))
        self._stream.write(_APPENDS + _SET_ITEM)

    def add_array(self, key: str, array: NDArray[np.int16]) -> None:
        """Add an entry whose value is an int16 array of any shape."""
        shape = b"".join(_INTEGER + struct.pack("<i", side) for side in array.shape)
        data = np.ascontiguousarray(array, dtype="<i2").tobytes()
        self._stream.write(_text(key) + _ARRAY + b"(" + shape + _SHAPE_END + _TYPE)
        self._stream.write(_BYTES + _length(data) + data + _BUILD + _SET_ITEM)

    def close(self) -> None:
        """Write the end."""
        self._stream.write(_STOP)


def read_texts(stream: BinaryIO) -> Iterator[tuple[str, list[str]]]:
    """Yield the entries of a dictionary of lists.

    Raises:
        ValueError: this is not such a file, or it is damaged.
        EOFError: it ends too early.
    """
    for key in _keys(stream):
        _expect(stream, _LIST)
        texts = []
        while (opcode := _take(stream, 1)) == _TEXT:
            texts.append(_string(stream))
        if opcode != _APPENDS:
            raise ValueError("not a list of strings")
        yield key, texts


def read_arrays(stream: BinaryIO) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Yield the entries of a dictionary of arrays.

    Raises:
        ValueError: this is not such a file, or it is damaged.
        EOFError: it ends too early.
    """
    for key in _keys(stream):
        _expect(stream, _ARRAY + b"(")
        shape = []
        while (opcode := _take(stream, 1)) == _INTEGER:
            shape.append(struct.unpack("<i", _take(stream, 4))[0])
        if opcode != _SHAPE_END:
            raise ValueError("not a shape")
        _expect(stream, _TYPE + _BYTES)
        data = _take(stream, struct.unpack("<I", _take(stream, 4))[0])
        yield key, np.frombuffer(data, "<i2").reshape(shape).astype(np.int16)
        _expect(stream, _BUILD)


def _keys(stream: BinaryIO) -> Iterator[str]:
    _expect(stream, _HEAD)
    while (opcode := _take(stream, 1)) == _TEXT:
        yield _string(stream)
        _expect(stream, _SET_ITEM)
    if opcode != _STOP or stream.read(1):
        raise ValueError("neither an entry nor the end")


def _length(data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise ValueError(f"{len(data)} bytes are too many for one entry")
    return struct.pack("<I", len(data))


def _text(text: str) -> bytes:
    data = text.encode()
    return _TEXT + _length(data) + data


def _string(stream: BinaryIO) -> str:
    return _take(stream, struct.unpack("<I", _take(stream, 4))[0]).decode()


def _take(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError("it ends too early")
    return data


def _expect(stream: BinaryIO, wanted: bytes) -> None:
    if _take(stream, len(wanted)) != wanted:
        raise ValueError("not as it was written")
