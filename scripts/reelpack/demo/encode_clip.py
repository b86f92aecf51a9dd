"""One demo clip as a file; the bytes depend on nothing but the installed PyAV."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from reelpack.demo.demo_clips import DemoClip
from reelpack.demo.scenes import draw_scene

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


def encode_clip(clip: DemoClip) -> bytes:
    """Return the bytes of one demo file, the same on every call."""
    # With its index in front a cut file still opens, and fails only where its frames end.
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if clip.kept < 1 else {})
    suffix = Path(clip.path).suffix
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / f"clip{suffix}"
        with av.open(str(whole), "w", format=_FORMATS[suffix], options=options) as output:
            _encode_streams(output, clip)
        data = whole.read_bytes()
    return data[: int(len(data) * clip.kept)]


def _encode_streams(output: Any, clip: DemoClip) -> None:
    video = _add_video(output, clip) if clip.codec else None
    audio = _add_audio(output, clip) if clip.audio else None
    packets: list[Any] = []
    if video is not None:
        for frame in _draw_frames(clip):
            packets.extend(video.encode(frame))
        packets.extend(video.encode(None))
    if audio is not None:
        for samples in _make_sound(clip, audio):
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
    if clip.rotation:
        # Counter-clockwise, as PyAV counts.
        stream.set_display_rotation(-clip.rotation)
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


def _draw_frames(clip: DemoClip) -> Iterator[av.VideoFrame]:
    seed = zlib.crc32(clip.path.encode())
    for index in range(round(clip.seconds * clip.rate)):
        time = index / clip.rate
        if clip.variable_rate:
            # Bunched and stretched by up to half a frame, still rising.
            time = Fraction(round(1000 * (time + Fraction(index * index % 5, 8) / clip.rate)), 1000)
        pixels = draw_scene(clip.motion, seconds=float(time), size=clip.size, seed=seed)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = frame.reformat(format=clip.pixel_format)
        frame.time_base = Fraction(1, 1000) if clip.variable_rate else 1 / clip.rate
        frame.pts = int(time / frame.time_base)
        yield frame


def _make_sound(clip: DemoClip, stream: Any) -> Iterator[av.AudioFrame]:
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
