"""Demo videos, made on the spot: nothing in, a folder of small clips and `demo.csv` out.

The clips move, carry texture and sound, and cover what real collections hold: several codecs and
containers, B-frames, variable frame rate, rotation, odd sizes, 10-bit and full-range colour. Two of
them are broken on purpose. The bytes depend on nothing but the installed PyAV.
"""

from __future__ import annotations

import csv
import functools
import io
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray
from PIL import Image

from reelpack.core.errors import FailureClass

Motion = Literal["circles", "waves", "blocks", "rings"]
MOTIONS: tuple[Motion, ...] = ("circles", "waves", "blocks", "rings")

_FORMATS = {".mp4": "mp4", ".avi": "avi", ".webm": "webm", ".mkv": "matroska", ".mov": "mov"}
_AUDIO = {"aac": ("aac", 44100), "mp3": ("libmp3lame", 44100), "opus": ("libopus", 48000)}
# With its macroblock tree x264 gives other bytes on every run, even on one thread.
_X264 = {
    "preset": "veryfast",
    "crf": "26",
    "x264-params": "threads=1:mbtree=0:bframes=3:b-adapt=0:b-pyramid=normal",
}
_VIDEO_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": _X264,
    "libx265": {
        "preset": "ultrafast",
        "crf": "26",
        "x265-params": "pools=none:frame-threads=1:bframes=3:log-level=none",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "36", "b": "0"},
    "mpeg4": {"b": "700000"},
    "mjpeg": {"b": "3000000"},
}


@dataclass(frozen=True)
class DemoClip:
    """One demo file.

    Attributes:
        path: relative to the demo folder; the first part is the class folder.
        caption: one sentence on what is seen.
        size: stored width and height in pixels.
        rate: pictures per second; with `variable_rate` the mean.
        seconds: length.
        codec: FFmpeg's name of the video encoder, or None for sound only.
        pixel_format: FFmpeg's name.
        keyframe_interval: pictures from one keyframe to the next.
        audio: sound codec, or None for silence.
        rotation: degrees clockwise that a player turns the stored picture by.
        variable_rate: time stamps are uneven.
        kept: fraction of the file's bytes that are written; below 1 the file is cut.
        windows: (start, end) in seconds of the samples taken from it; empty means one, the whole
            file.
        failures: the failure classes it may end in; empty when it must succeed.
    """

    path: str
    caption: str
    size: tuple[int, int] = (320, 240)
    rate: Fraction = Fraction(25)
    seconds: float = 3.0
    codec: str | None = "libx264"
    pixel_format: str = "yuv420p"
    keyframe_interval: int = 250
    audio: str | None = "aac"
    rotation: int = 0
    variable_rate: bool = False
    kept: float = 1.0
    windows: tuple[tuple[float, float], ...] = ()
    failures: tuple[FailureClass, ...] = ()

    @property
    def label(self) -> int:
        """Class index, 0 to 3: the position of the class folder in `MOTIONS`."""
        return MOTIONS.index(self.motion)

    @property
    def motion(self) -> Motion:
        """What moves, which is the class folder's name."""
        return next(motion for motion in MOTIONS if motion == self.path.partition("/")[0])


_NTSC = Fraction(30000, 1001)

DEMO_CLIPS: tuple[DemoClip, ...] = (
    DemoClip("circles/disc_25.mp4", "A disc drifts over a rough wall."),
    DemoClip("circles/disc_30.mp4", "A disc loops quickly.", rate=Fraction(30), seconds=2.5),
    DemoClip(
        "circles/disc_15.mp4",
        "A disc moves in coarse steps.",
        size=(160, 120),
        rate=Fraction(15),
        seconds=4.0,
        keyframe_interval=15,
    ),
    DemoClip(
        "circles/portrait.mp4",
        "A disc wanders in a tall picture.",
        size=(144, 256),
        rate=Fraction(30),
        seconds=2.5,
    ),
    DemoClip(
        "circles/rotated.mp4",
        "A phone held upright filmed this disc.",
        size=(256, 144),
        rotation=90,
        keyframe_interval=30,
    ),
    DemoClip(
        "circles/disc_h264.avi",
        "A disc in an old container without time stamps.",
        size=(240, 180),
        audio="mp3",
    ),
    DemoClip("waves/wave_25.mp4", "Waves pass from left to right.", size=(256, 192)),
    DemoClip(
        "waves/wave_ntsc.mp4",
        "Waves at the television rate.",
        size=(320, 180),
        rate=_NTSC,
        keyframe_interval=48,
    ),
    DemoClip(
        "waves/Größe & ñandú 波.mp4",
        'She said "look, waves!", and there they were 🌊',
        size=(240, 160),
        seconds=2.0,
    ),
    DemoClip(
        "waves/wave_mpeg4.avi",
        "Waves in a small and blocky picture.",
        size=(176, 144),
        rate=Fraction(15),
        codec="mpeg4",
        keyframe_interval=12,
        audio="mp3",
    ),
    DemoClip(
        "waves/wave_vp9.webm",
        "Waves from a web page.",
        rate=Fraction(24),
        codec="libvpx-vp9",
        audio="opus",
    ),
    DemoClip(
        "waves/wave_variable.mp4",
        "Waves filmed by a camera that could not keep its rate.",
        rate=Fraction(24),
        seconds=3.5,
        variable_rate=True,
    ),
    DemoClip("blocks/blocks_24.mp4", "Blocks slide past each other.", rate=Fraction(24)),
    DemoClip(
        "blocks/blocks_long.mp4",
        "Blocks slide for a while; two samples are cut from this file.",
        size=(256, 192),
        seconds=4.0,
        keyframe_interval=50,
        windows=((0.5, 2.0), (2.0, 3.75)),
    ),
    DemoClip(
        "blocks/blocks_hevc.mp4",
        "Blocks slide in a newer codec.",
        rate=Fraction(30),
        codec="libx265",
        seconds=2.0,
    ),
    DemoClip(
        "blocks/odd_size.webm",
        "Blocks in a picture with odd sides.",
        size=(175, 131),
        rate=Fraction(30),
        seconds=2.0,
        codec="libvpx-vp9",
        audio="opus",
    ),
    DemoClip(
        "blocks/blocks_mpeg4.mp4",
        "Blocks slide in an old codec.",
        size=(240, 180),
        rate=_NTSC,
        seconds=2.0,
        codec="mpeg4",
        keyframe_interval=12,
        audio="mp3",
    ),
    DemoClip(
        "blocks/cut_short.mp4",
        "Blocks whose second half never arrived.",
        kept=0.55,
        failures=("corrupt", "decode"),
    ),
    DemoClip("rings/rings_25.mp4", "Rings grow from the middle.", size=(160, 120), seconds=4.0),
    DemoClip(
        "rings/rings_silent.mp4",
        "Rings grow without a sound.",
        size=(240, 240),
        seconds=2.0,
        audio=None,
    ),
    DemoClip(
        "rings/ten_bit.mkv",
        "Rings in ten bits per channel.",
        size=(256, 144),
        rate=Fraction(24),
        seconds=2.0,
        codec="libx265",
        pixel_format="yuv420p10le",
        audio="opus",
    ),
    DemoClip(
        "rings/full_range.mov",
        "Rings from a stills camera.",
        size=(160, 120),
        rate=Fraction(15),
        seconds=2.0,
        codec="mjpeg",
        pixel_format="yuvj420p",
    ),
    DemoClip("rings/gray.mp4", "Rings without colour.", pixel_format="gray", seconds=2.0),
    DemoClip(
        "rings/sound_only.mp4",
        "Nothing to see here, only a tone.",
        seconds=2.0,
        codec=None,
        failures=("no_video",),
    ),
)


def write_demo(folder: Path) -> Path:
    """Write every demo clip and `demo.csv` below `folder`.

    Files that already hold the right bytes are left alone, times included.

    Args:
        folder: made when it is not there.

    Returns:
        The path of `demo.csv`: columns path, start, end, label, caption.

    Raises:
        OSError: the folder cannot be written to.
    """
    for clip in DEMO_CLIPS:
        _write(folder / clip.path, encode_clip(clip))
    table = folder / "demo.csv"
    _write(table, _table().encode())
    return table


def encode_clip(clip: DemoClip) -> bytes:
    """Return the bytes of one demo file, the same on every call."""
    # With its index in front a cut file still opens, and fails only where its pictures end.
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if clip.kept < 1 else {})
    suffix = Path(clip.path).suffix
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / f"clip{suffix}"
        with av.open(str(whole), "w", format=_FORMATS[suffix], options=options) as output:
            _encode_streams(output, clip)
        data = whole.read_bytes()
    if clip.rotation:
        data = _rotate(data, clip.rotation)
    return data[: int(len(data) * clip.kept)]


def draw(motion: Motion, *, seconds: float, size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Draw one picture of a moving scene.

    Args:
        motion: what moves.
        seconds: the time in the scene.
        size: width and height in pixels.
        seed: chooses texture, colours and speed.

    Returns:
        uint8[H, W, 3], RGB.
    """
    width, height = size
    phase = seed % 7
    unit = min(size) / 100
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if motion == "circles":
        centre_x = width * (0.5 + 0.3 * np.sin(seconds * (1.7 + phase / 5)))
        centre_y = height * (0.5 + 0.28 * np.cos(seconds * (2.3 + phase / 7)))
        inside = 22 * unit - np.hypot(x - centre_x, y - centre_y)
    elif motion == "waves":
        bend = 9 * unit * np.sin(y / (9 * unit) + seconds * 3)
        inside = 8 * np.sin((x + bend) / ((5 + phase / 2) * unit) - seconds * 5)
    elif motion == "blocks":
        across = (x + seconds * (30 + 4 * phase) * unit) % (56 * unit) - 28 * unit
        down = (y - seconds * 21 * unit) % (56 * unit) - 28 * unit
        inside = 15 * unit - np.maximum(abs(across), abs(down))
    else:
        radius = np.hypot(x - width / 2, y - height / 2)
        inside = 8 * np.sin(radius / ((5 + phase / 2) * unit) - seconds * 6)
    ground, thing = _colours(seed)
    share = np.clip(inside + 0.5, 0, 1)[..., None]
    grain = np.roll(_texture(seed, size), (int(seconds * 9), int(seconds * 23)), (0, 1))
    colours = ground + share * (thing - ground) + grain
    return np.asarray(np.clip(colours, 0, 255), dtype=np.uint8)


def _colours(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a dull colour for the ground and a bright one for what moves."""
    bright = 0.6 + 0.4 * np.cos(2 * np.pi * (seed % 31 / 31 + np.array([0, 1 / 3, 2 / 3])))
    dull = 0.35 - 0.12 * np.cos(2 * np.pi * (seed % 29 / 29 + np.array([0, 1 / 3, 2 / 3])))
    return (255 * dull).astype(np.float32), (255 * bright).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _texture(seed: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return float32[H, W, 1] of coarse and fine grain around 0."""
    noise = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for cell, strength in ((24, 44), (7, 26), (2, 14)):
        shape = (size[1] // cell + 2, size[0] // cell + 2)
        grid = Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8))
        smooth = np.asarray(grid.resize(size, Image.Resampling.BILINEAR), np.float32)
        total += strength * (smooth / 255 - 0.5)
    return total[..., None]


def _encode_streams(output: Any, clip: DemoClip) -> None:
    video = _add_video(output, clip) if clip.codec else None
    audio = _add_audio(output, clip) if clip.audio else None
    packets: list[Any] = []
    if video is not None:
        for frame in _pictures(clip):
            packets.extend(video.encode(frame))
        packets.extend(video.encode(None))
    if audio is not None:
        for samples in _sound(clip, audio):
            packets.extend(audio.encode(samples))
        packets.extend(audio.encode(None))
    # By decode time, as a muxer of a live recording would meet them.
    packets.sort(key=lambda packet: (packet.dts * packet.time_base, packet.stream_index))
    output.start_encoding()
    for packet in packets:
        output.mux(packet)


def _add_video(output: Any, clip: DemoClip) -> Any:
    stream = output.add_stream(clip.codec, rate=clip.rate)
    stream.width, stream.height = clip.size
    stream.pix_fmt = clip.pixel_format
    stream.options = {**_VIDEO_OPTIONS[str(clip.codec)], "g": str(clip.keyframe_interval)}
    context = stream.codec_context
    context.thread_count = 1
    context.flags |= Flags.bitexact
    if clip.variable_rate:
        context.time_base = Fraction(1, 1000)
    return stream


def _add_audio(output: Any, clip: DemoClip) -> Any:
    codec, sample_rate = _AUDIO[str(clip.audio)]
    stream = output.add_stream(codec, rate=sample_rate, layout="stereo")
    stream.codec_context.thread_count = 1
    stream.codec_context.flags |= Flags.bitexact
    stream.bit_rate = 48_000
    return stream


def _pictures(clip: DemoClip) -> Iterator[av.VideoFrame]:
    seed = zlib.crc32(clip.path.encode())
    for index in range(round(clip.seconds * clip.rate)):
        time = index / clip.rate
        if clip.variable_rate:
            # Bunched and stretched by up to half a picture, still rising.
            time = Fraction(round(1000 * (time + Fraction(index * index % 5, 8) / clip.rate)), 1000)
        pixels = draw(clip.motion, seconds=float(time), size=clip.size, seed=seed)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format=clip.pixel_format)
        frame.time_base = Fraction(1, 1000) if clip.variable_rate else 1 / clip.rate
        frame.pts = int(time / frame.time_base)
        yield frame


def _sound(clip: DemoClip, stream: Any) -> Iterator[av.AudioFrame]:
    sample_rate = stream.codec_context.sample_rate
    pitch = 220 + zlib.crc32(clip.path.encode()) % 440
    count = int(clip.seconds * sample_rate)
    time = np.arange(count) / sample_rate
    tone = 0.2 * np.sin(2 * np.pi * pitch * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time))
    stereo = np.stack([tone, 0.7 * tone]).astype(np.float32)
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout="stereo", rate=sample_rate
    )
    for start in range(0, count, 1024):
        part = np.ascontiguousarray(stereo[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate = sample_rate
        frame.time_base = Fraction(1, sample_rate)
        frame.pts = start
        yield from resampler.resample(frame)


def _rotate(mp4: bytes, degrees: int) -> bytes:
    """Set the display matrix in the video track's header (ISO 14496-12, `tkhd`).

    The nine numbers are 16.16 fixed point, the last column 2.30; the video track is the first one.
    """
    moov, end = _box(mp4, b"moov", 0, len(mp4))
    track, end = _box(mp4, b"trak", moov, end)
    header, _ = _box(mp4, b"tkhd", track, end)
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    one = 1 << 16
    matrix = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    at = header + 40
    return mp4[:at] + struct.pack(">9i", *matrix) + mp4[at + 36 :]


def _box(data: bytes, kind: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the content of the first box of a kind starts and ends."""
    while start < end:
        length = int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] == kind:
            return start + 8, start + length
        start += length
    raise ValueError(f"no {kind.decode()} box")


def _table() -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "start", "end", "label", "caption"])
    for clip in DEMO_CLIPS:
        for start, end in clip.windows or (("", ""),):
            table.writerow([clip.path, start, end, clip.label, clip.caption])
    return text.getvalue()


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
