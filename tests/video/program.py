"""The ffmpeg program as a witness: its frames, their times, and what it complains about."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
# Frames are compared at this shorter side.
SIDE = 32


@dataclass(frozen=True, eq=False)
class Witness:
    """What the program gives of a file.

    Args:
        frames: `uint8[n, height, width, 3]`.
        seconds: the time of each frame from the first one.
        complaint: what it says at its error level, "" for nothing.
    """

    frames: Frames
    seconds: list[Fraction]
    complaint: str


def run(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run the program that imageio-ffmpeg carries."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    return subprocess.run(
        [*command, *map(str, arguments)], check=check, capture_output=True, timeout=120
    )


def every_frame(path: Path, size: tuple[int, int]) -> Witness:
    """All frames of the first video stream, scaled to (width, height)."""
    width, height = size
    result = run(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
        "-vf", f"scale={width}:{height}:flags=bicubic,format=rgb24", "-f", "rawvideo", "-",
        check=False,
    )  # fmt: skip
    frames = np.frombuffer(result.stdout, np.uint8).reshape(-1, height, width, 3)
    times = run(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "1/1000000",
        "-vf", "scale=8:8", "-f", "framecrc", "-",
        check=False,
    ).stdout.decode()  # fmt: skip
    rows = [line.split(",") for line in times.splitlines() if not line.startswith("#")]
    stamps = [Fraction(int(row[2]), 1_000_000) for row in rows]
    first = stamps[0] if stamps else Fraction(0)
    return Witness(
        frames, [stamp - first for stamp in stamps], result.stderr.decode(errors="replace")
    )


def at_rate(
    path: Path, size: tuple[int, int], fps: Fraction, options: Sequence[str] = (), chain: str = ""
) -> Frames:
    """The frames that the program's `fps` filter chooses, scaled to (width, height)."""
    width, height = size
    filters = f"{chain}fps={fps},scale={width}:{height}:flags=bicubic,format=rgb24"
    output = run(
        *options, "-i", path, "-map", "0:v:0", "-vf", filters, "-f", "rawvideo", "-", check=False
    ).stdout
    return np.frombuffer(output, np.uint8).reshape(-1, height, width, 3)
