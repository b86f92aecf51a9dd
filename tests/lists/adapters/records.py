"""Writes TFRecord files of Examples, for tests of their reader."""

import struct

import numpy as np

POLYNOMIAL = 0x82F63B78


def slow_crc32c(data):
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (POLYNOMIAL if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def slow_mask(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def frame(payload, crc=slow_crc32c):
    length = struct.pack("<Q", len(payload))
    check = struct.pack("<I", slow_mask(slow_crc32c(length)))
    return length + check + payload + struct.pack("<I", slow_mask(crc(payload)))


def varint(value):
    data = b""
    while value >= 0x80:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(features):
    """An Example of {name: list of bytes, or list of floats}."""
    entries = b""
    for name, values in features.items():
        if isinstance(values[0], bytes):
            value = field(1, b"".join(field(1, item) for item in values))
        else:
            value = field(2, field(1, np.array(values, "<f4").tobytes()))
        entries += field(1, field(1, name.encode()) + field(2, value))
    return field(1, entries)
