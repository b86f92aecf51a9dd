"""Videos to cut: what differs in containers, codecs and time stamps, two seconds and more of each."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.support.clips import write_clip

_UNEVEN = {
    "stamps": [0, 40, 80, 130, 131, 200, 500, 510, 800, 1300, 1310, 1400, 1500, 1600, 1640, 1700],
    "time_base": Fraction(1, 1000),
    "frames": 16,
}
_OPEN_GOP = {"encoder_options": {"x264-params": "open-gop=1:keyint=12:scenecut=0"}}
VIDEOS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"audio_seconds": 2.0},
    "sound.mkv": {"audio_seconds": 2.0, "rate": Fraction(30000, 1001)},
    "uneven.mkv": {**_UNEVEN, "b_frames": 0},
    "uneven_b.mp4": _UNEVEN,
    "open_gop.mp4": _OPEN_GOP,
    "hevc.mkv": {"codec": "hevc", "width": 96, "encoder_options": {"x265-params": "open-gop=1"}},
    "turned.mp4": {"clockwise": 90, "width": 96},
    "hidden.mp4": {"first_stamp": -7},
    "late.mp4": {"first_stamp": 20, "audio_seconds": 2.0},
    "odd.webm": {"codec": "vp9", "width": 67, "height": 45},
    "h264.ts": {"audio_seconds": 2.0},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 0},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "full_range.mp4": {"pixel_format": "yuvj420p"},
}
# Containers without stamps for frames that wait for others, and codecs that mp4 does not hold.
EXACT_ONLY: dict[str, dict[str, Any]] = {
    "h264_b.avi": {},
    "gray.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "alpha.mov": {"codec": "png", "pixel_format": "rgba"},
}


def video(folder: Path, name: str) -> Path:
    """Return a video of `VIDEOS` or `EXACT_ONLY`, made when it is first asked for."""
    path = folder / name
    if not path.exists():
        write_clip(path, **{"frames": 55, **(VIDEOS | EXACT_ONLY)[name]})
    return path
