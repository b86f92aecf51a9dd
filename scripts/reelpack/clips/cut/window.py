"""What a window means in a video, and whether a cut file shows it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reelpack.core.errors import ClipError
from reelpack.video.decoder import all_frames
from reelpack.video.index import VideoIndex, index_video, read_index
from reelpack.video.sampling import Window, find_window
from reelpack.video.source import clip_errors, open_source

DecodeStamps = tuple[int | None, ...]
Stamps = npt.NDArray[np.int64]


def read_packet_index(path: Path) -> tuple[VideoIndex, DecodeStamps]:
    """Index a video, and give the decode stamps of its packets in their order.

    Clips of one video follow one another, so the last few are kept while their files stay.

    Raises:
        ClipError: missing, corrupt or no_video.
    """
    with clip_errors(path, "missing"):
        state = path.stat()
    return _read_packet_index(path, (state.st_mtime_ns, state.st_size, state.st_ino))


@functools.lru_cache(maxsize=4)
def _read_packet_index(path: Path, state: tuple[int, ...]) -> tuple[VideoIndex, DecodeStamps]:  # noqa: ARG001 - a changed file is another one
    stamps: list[int | None] = []
    with open_source(path) as source:
        index = read_index(source, keep=lambda packet: stamps.append(packet.dts))
    return index, tuple(stamps)


def decoded_index(path: Path) -> VideoIndex:
    """Index a video by decoding all of it.

    Raises:
        ClipError: decode, corrupt, no_video or missing.
    """
    shown = [(stamp, duration) for stamp, duration, _ in all_frames(path)]
    stamps, durations = np.array(shown, dtype=np.int64).T
    return index_video(path).with_frames(stamps, durations)


@dataclass(frozen=True)
class CutFile:
    """A clip that was cut out.

    Attributes:
        start_seconds: what `fps` counts from, 0 or less: the window began so long before the
            first frame.
        frames: shown frames.
        duration_seconds: from the first frame to the end of the last.
        end_seconds: the end that was asked for, in the file's time, None for an open one.
    """

    start_seconds: float
    pictures: int
    duration_seconds: float
    end_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class AskedFrames:
    """The frames that a window keeps.

    Args:
        pts: `int64[n]`, their stamps in ticks of `time_base`, rising.
        window: where they stand among the video's shown frames.
        has_audio: whether the video has sound.
    """

    pts: Stamps
    window: Window
    time_base: Fraction
    has_audio: bool

    @classmethod
    def of_index(cls, index: VideoIndex, start: float | None, end: float | None) -> AskedFrames:
        """Find a window by a video's index; seconds count from its first shown frame.

        Raises:
            ClipError: too_short.
        """
        window = find_window(index, start, end)
        stamps = index.pts[window.begin : window.stop]
        return cls(stamps, window, index.time_base, index.has_audio)

    @classmethod
    def of_frames(cls, path: Path, start: float | None, end: float | None) -> AskedFrames:
        """Find a window in a video whose stamps only decoding tells.

        Raises:
            ClipError: decode, too_short, or trim where the window's stamps go back.
        """
        asked = cls.of_index(decoded_index(path), start, end)
        if (asked.durations <= 0).any():
            raise ClipError(
                "trim", f"{path}: time stamps in the window do not rise; allowed: trim: virtual"
            )
        return asked

    @property
    def first(self) -> int:
        """The first frame's stamp."""
        return int(self.pts[0])

    @property
    def durations(self) -> Stamps:
        """`int64[n]`, ticks that each frame stays."""
        return np.diff(self.pts, append=self.window.end_pts)

    @property
    def usual_duration(self) -> int:
        """Ticks that most frames stay."""
        return max(1, int(np.median(self.durations)))

    @property
    def begin_seconds(self) -> Fraction:
        """When the first frame begins to be shown, in the file's own count."""
        return (self.first + self.window.standing) * self.time_base

    @property
    def end_seconds(self) -> Fraction:
        """Where the last frame ends, in the file's own count."""
        return (self.window.end_pts + self.window.standing) * self.time_base


def measure_file(path: Path, asked: AskedFrames) -> CutFile:
    """Measure a cut file against what was asked for.

    Raises:
        ClipError: trim; another number of frames, or one of them or the end more than half a
            frame's duration from its place.
    """
    try:
        index = index_video(path)
        if not index.plannable:
            index = decoded_index(path)
    except ClipError as error:
        raise ClipError("trim", f"the cut file cannot be read back: {error}") from error
    if len(index.pts) != len(asked.pts):
        raise ClipError(
            "trim",
            f"the cut file shows {len(index.pts)} frames, {len(asked.pts)} were asked for",
        )
    found = (np.append(index.pts, index.pts[-1] + index.durations[-1]) - index.pts[0]) * float(
        index.time_base
    )
    wanted = (np.append(asked.pts, asked.window.end_pts) - asked.first) * float(asked.time_base)
    off = np.abs(found - wanted)
    allowed = float(asked.usual_duration * asked.time_base) / 2
    if float(off[:-1].max()) > allowed:
        raise ClipError(
            "trim", f"frames of the cut file are up to {off[:-1].max():.4f} s from their places"
        )
    if off[-1] > allowed:
        # libavformat reads VP9 frames in mp4 as all of one length.
        raise ClipError(
            "trim",
            f"the cut file's last frame ends at {found[-1]:.4f} s, {wanted[-1]:.4f} s was asked"
            " for; allowed: trim: exact or virtual",
        )
    before = min(0, asked.window.origin_pts - asked.first)
    return CutFile(float(before * asked.time_base), len(index.pts), index.duration_seconds)
