"""Small deterministic clips for tests: moving textured pictures in many codecs and containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

from reelpack.clips.cut.x264 import OPTIONS

# What has x264 give the same bits each time; its AVX-512 does not.
SAME_BITS = {name: text for name, text in OPTIONS.items() if name == "x264-params"}
_X264 = {"preset": "veryfast", "threads": "1"}
_X265 = {"preset": "ultrafast"}
_X265_PARAMETERS = "log-level=none:pools=none:frame-threads=1"
_ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
_SPEED = {
    "h264": _X264,
    "hevc": _X265,
    "vp9": {"cpu-used": "8", "deadline": "realtime", "lag-in-frames": "8", "auto-alt-ref": "1"},
    "av1": {"preset": "12", "svtav1-params": "lp=1"},
}


def picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Picture `number` of every clip: `uint8[height, width, 3]`, a texture that moves and turns."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    red = 127 + 90 * np.sin((x + 5 * number) / 9) + 30 * np.sin(y / 3)
    green = 127 + 90 * np.sin((y - 3 * number) / 7 + x / 31)
    blue = 127 + 90 * np.sin((x + y + 4 * number) / 13)
    rgb = np.stack([red, green, blue], axis=-1).clip(0, 255).astype(np.uint8)
    side = max(4, min(width, height) // 4)
    left, top = (7 * number) % max(1, width - side), (5 * number) % max(1, height - side)
    rgb[top : top + side, left : left + side] = (255, (37 * number) % 256, 0)
    return rgb


@dataclass(frozen=True)
class Look:
    """What a clip is like; the container follows from the file's name.

    Attributes:
        stamps: presentation stamp of each picture in ticks of `time_base`, for a variable rate.
        clockwise: degrees to turn the pictures for display, stored as a display matrix.
        first_stamp: added to all stamps; below zero, mp4 hides pictures behind an edit list.
        audio_seconds: length of an audio track that starts at 0.
    """

    codec: str = "h264"
    frames: int = 30
    rate: Fraction | int = 25
    width: int = 64
    height: int = 48
    gop: int = 12
    b_frames: int = 2
    pixel_format: str = "yuv420p"
    stamps: Sequence[int] | None = None
    time_base: Fraction | None = None
    clockwise: int = 0
    first_stamp: int = 0
    audio_seconds: float = 0.0
    color_range: str | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    muxer_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def base(self) -> Fraction:
        """Seconds of a tick."""
        return self.time_base or 1 / Fraction(self.rate)

    def coding(self) -> dict[str, str]:
        """Options of the encoder."""
        options = {**_SPEED.get(self.codec, {}), **self.encoder_options}
        if self.codec == "hevc":
            extra = options.pop("x265-params", "")
            keys = f"keyint={self.gop}:bframes={self.b_frames}"
            options["x265-params"] = f"{_X265_PARAMETERS}:{keys}:{extra}"
        if self.codec == "h264" and "x264-params" in SAME_BITS:
            extra = options.get("x264-params", "")
            options["x264-params"] = f"{SAME_BITS['x264-params']}:{extra}".rstrip(":")
        return options

    def muxing(self) -> dict[str, str]:
        """Options of the container."""
        # Without this some muxers lift stamps below zero to zero instead of writing an edit list.
        kept = {"avoid_negative_ts": "disabled"} if self.first_stamp < 0 else {}
        return {**kept, **self.muxer_options}

    def add_stream(self, output: OutputContainer) -> av.VideoStream:
        """Add the video stream to a file."""
        name = _ENCODERS.get(self.codec, self.codec)
        video = output.add_stream(name, rate=Fraction(self.rate), options=self.coding())
        video.width, video.height, video.pix_fmt = self.width, self.height, self.pixel_format
        context = video.codec_context
        context.time_base, context.gop_size = self.base, self.gop
        if self.codec in {"h264", "mpeg4", "mpeg2video"}:
            context.max_b_frames = self.b_frames
        if self.color_range is not None:
            context.color_range = self.color_range
        if self.clockwise:
            video.set_display_rotation(self.clockwise)
        return video

    def packets(self, video: av.VideoStream) -> Iterator[av.Packet]:
        """Encode all pictures."""
        stamps = range(self.frames) if self.stamps is None else self.stamps
        for number, stamp in zip(range(self.frames), stamps, strict=False):
            shown = picture(number, self.width, self.height)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame = frame.reformat(format=self.pixel_format, dst_color_range=self.color_range)
            frame.pts, frame.time_base = stamp, self.base
            yield from video.codec_context.encode(frame)
        yield from video.codec_context.encode(None)


def write_clip(path: Path, **look: Any) -> Path:
    """Write one clip as the fields of `Look` say, and return its path."""
    made = Look(**look)
    with av.open(str(path), "w", options=made.muxing()) as output:
        video = made.add_stream(output)
        seconds = made.audio_seconds
        audio = output.add_stream("aac", rate=16000, layout="mono") if seconds else None
        packets = list(made.packets(video))
        sound = [] if audio is None else _audio_packets(audio, seconds)
        for packet in packets:
            packet.stream = video
            packet.pts += made.first_stamp
            packet.dts += made.first_stamp
        output.mux([*sound, *packets])
    return path


def write_audio(path: Path, *, seconds: float = 1.0) -> Path:
    """Write a file with an audio track only."""
    with av.open(str(path), "w") as output:
        audio = output.add_stream("aac", rate=16000, layout="mono")
        output.mux(_audio_packets(audio, seconds))
    return path


def _audio_packets(stream: av.AudioStream, seconds: float) -> list[av.Packet]:
    packets = []
    for start in range(0, int(seconds * 16000), 1024):
        tone = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None] * 0.2
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        packets += stream.codec_context.encode(frame)
    packets += stream.codec_context.encode(None)
    for packet in packets:
        packet.stream = stream
    return packets


def cut_file(path: Path, target: Path, *, keep: float) -> Path:
    """Copy the first part of a file, `keep` of its bytes."""
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * keep)])
    return target


def damage_file(path: Path, target: Path, *, at: float, length: int = 64) -> Path:
    """Copy a file with some bytes in the middle turned over."""
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + length] = bytes(255 - byte for byte in content[start : start + length])
    target.write_bytes(content)
    return target
