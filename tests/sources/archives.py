"""Small archives for tests, rar ones too: their members are stored, not compressed."""

import io
import struct
import tarfile
import zlib
from pathlib import Path


def tarred(members: dict[str, bytes], *, mode: str = "w") -> bytes:
    """Return a tar, or with `w:gz` a compressed one."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _block(kind: int, flags: int, rest: bytes) -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head


def rar4(path: Path, members: dict[str, bytes], *, mode: int = 0o100644) -> Path:
    """Write a rar of version 2.0 to 4 (format: unrar's technote.txt)."""
    parts = [b"Rar!\x1a\x07\x00", _block(0x73, 0, bytes(6))]
    for name, content in members.items():
        encoded = name.encode()
        head = struct.pack(
            "<IIBIIBBHI",
            len(content),
            len(content),
            3,
            zlib.crc32(content),
            0x50000000,
            20,
            0x30,
            len(encoded),
            mode,
        )
        parts += [_block(0x74, 0x8000, head + encoded), content]
    path.write_bytes(b"".join([*parts, _block(0x7B, 0x4000, b"")]))
    return path


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def _block5(*fields: int, tail: bytes = b"") -> bytes:
    head = b"".join(map(_number, fields)) + tail
    sized = _number(len(head)) + head
    return struct.pack("<I", zlib.crc32(sized)) + sized


def rar5(path: Path, members: dict[str, bytes]) -> Path:
    """Write a rar of version 5 (format: rarlab.com/technote.htm)."""
    parts = [b"Rar!\x1a\x07\x01\x00", _block5(1, 0, 0)]
    for name, content in members.items():
        encoded, size = name.encode(), len(content)
        tail = struct.pack("<I", zlib.crc32(content))
        tail += b"".join(map(_number, (0, 1, len(encoded)))) + encoded
        parts += [_block5(2, 2, size, 4, size, 0o100644, tail=tail), content]
    path.write_bytes(b"".join([*parts, _block5(5, 0, 0)]))
    return path
