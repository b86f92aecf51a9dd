"""TFRecord files and the `tf.train.Example` messages in them, without TensorFlow.

A record is: u64 length, u32 masked CRC-32C of the length, payload, u32 masked CRC-32C of the
payload, all little-endian. An Example is a protobuf message: field 1 holds features, whose field 1
is a map of name to feature; field 1 of a feature is a list of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from reelpack.core.errors import ClipError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_record(path: Path, number: int) -> bytes:
    """Return one payload, checked; records before it are skipped by their lengths.

    Args:
        path: the file.
        number: place in the file, from 1.

    Raises:
        ClipError: missing; corrupt; or no such record (missing).
    """
    with _open(path) as stream:
        for skipped in range(1, number):
            length = _next(stream, path, skipped)
            if length is None:
                break
            stream.seek(length + _FOOTER.size, 1)
        length = _next(stream, path, number)
        if length is None:
            raise ClipError("missing", f"{path}: no record {number}")
        return _payload(stream, path, number, length)


def count_records(path: Path) -> int:
    """Return the number of records, by their lengths alone; payloads are not read.

    Raises:
        ClipError: missing; corrupt, for a wrong length or a file cut short.
    """
    size = path.stat().st_size if path.is_file() else 0
    with _open(path) as stream:
        number = 0
        while (length := _next(stream, path, number + 1)) is not None:
            if stream.seek(length + _FOOTER.size, 1) > size:
                raise ClipError("corrupt", f"{path}: record {number + 1} is cut short")
            number += 1
    return number


def masked_crc(data: bytes) -> int:
    """Return a CRC-32C as TFRecord files store it: rotated right by 15 bits, plus a constant."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _open(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise ClipError("refused", f"{path}: not a file")
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise ClipError("missing", f"{path}: no such file") from error


def _next(stream: BinaryIO, path: Path, number: int) -> int | None:
    header = stream.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        raise ClipError("corrupt", f"{path}: record {number} is cut short")
    length, check = _HEADER.unpack(header)
    if masked_crc(header[:8]) != check:
        raise ClipError("corrupt", f"{path}: record {number}: wrong checksum of its length")
    return int(length)


def _payload(stream: BinaryIO, path: Path, number: int, length: int) -> bytes:
    payload, footer = stream.read(length), stream.read(_FOOTER.size)
    if len(payload) < length or len(footer) < _FOOTER.size:
        raise ClipError("corrupt", f"{path}: record {number} is cut short")
    if masked_crc(payload) != _FOOTER.unpack(footer)[0]:
        raise ClipError("corrupt", f"{path}: record {number}: wrong checksum")
    return payload


def parse_example(payload: bytes) -> dict[str, list[bytes]]:
    """Return the features of an Example that are lists of bytes; other kinds are left out.

    Raises:
        ClipError: corrupt, when it is not such a message.
    """
    features: dict[str, list[bytes]] = {}
    try:
        for entry in _messages(memoryview(payload), 1, 1):
            fields = dict(_fields(entry))
            values = [bytes(value) for value in _messages(memoryview(fields.get(2, b"")), 1, 1)]
            if values:
                features[bytes(fields[1]).decode()] = values
    except (IndexError, KeyError, ValueError) as error:
        raise ClipError("corrupt", f"no tf.train.Example: {error}") from error
    return features


def _messages(data: memoryview, *path: int) -> Iterator[memoryview]:
    """Yield the length-delimited values that nested fields of these numbers hold."""
    for number, value in _fields(data):
        if number == path[0]:
            yield from _messages(value, *path[1:]) if len(path) > 1 else [value]


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and value of the length-delimited fields of a message; others are skipped."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field runs over the end")
            yield number, data[at : at + length]
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def frame_record(payload: bytes) -> bytes:
    """Return a payload with its length and checksums around it, as it stands in a file."""
    length = struct.pack("<Q", len(payload))
    checks = (_FOOTER.pack(masked_crc(data)) for data in (length, payload))
    return b"".join([length, next(checks), payload, next(checks)])


def example(features: Mapping[str, bytes | Sequence[float]]) -> bytes:
    """Return a `tf.train.Example`, its features in the order given.

    Args:
        features: by name, one value of bytes, or numbers, which are kept as float32.
    """
    entries = []
    for name, value in features.items():
        if isinstance(value, bytes):
            feature = _field(1, _field(1, value))
        else:
            feature = _field(2, _field(1, struct.pack(f"<{len(value)}f", *value)))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def _field(number: int, data: bytes) -> bytes:
    """Return one length-delimited field of a message."""
    return _varint_bytes(number << 3 | _BYTES) + _varint_bytes(len(data)) + data


def _varint_bytes(value: int) -> bytes:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
