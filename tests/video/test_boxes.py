"""Durations that MP4 files state in their movie header."""

import struct

import pytest

from reelpack.video.boxes import movie_seconds
from reelpack.video.index import index_video
from tests.support.clips import write_clip


def box(kind: bytes, content: bytes, *, size: int | None = None, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content) if size is None else size, kind) + content


def header(scale: int, ticks: int, *, version: int = 0) -> bytes:
    times = bytes(16 if version else 8)
    return box(b"mvhd", bytes([version, 0, 0, 0]) + times + (
        struct.pack(">IQ" if version else ">II", scale, ticks)
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (box(b"ftyp", b"isom") + box(b"moov", header(1000, 18037)), 18.037),
        (box(b"mdat", b"x" * 9, wide=True) + box(b"moov", header(3, 10, version=1)), 3.333333),
        (box(b"moov", header(90000, 0)), None),
        (box(b"moov", header(0, 10)), None),
        (box(b"moov", header(1000, 0xFFFFFFFF)), None),
        (box(b"moov", header(600, 300), size=0), 0.5),
        (box(b"moov", box(b"trak", b"")), None),
        (box(b"moov", box(b"mvhd", b"\0\0")), None),
        (box(b"ftyp", b"", size=3), None),
        (b"\0\0", None),
    ],
)
def test_movie_headers(tmp_path, content, seconds):
    (tmp_path / "a.mp4").write_bytes(content)
    assert movie_seconds(tmp_path / "a.mp4") == seconds


def test_the_index_takes_the_container_s_word(tmp_path):
    assert index_video(write_clip(tmp_path / "a.mp4", audio_seconds=1.5)).container_seconds == 1.536
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    for name, options in {"b.mkv": {}, "c.mp4": {"muxer_options": fragments}}.items():
        assert index_video(write_clip(tmp_path / name, **options)).container_seconds == 1.2
