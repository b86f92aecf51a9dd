"""Cut a window out of a video: exactly by encoding it anew, or by copying from the keyframe before it.

Both give an mp4 file that shows just the frames with start <= time < end, see
`reelpack.video.sampling.sample`, at the same distances, with their sound. Its first frame has
time 0.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal, get_args

from reelpack.clips.cut.exact import encode_window
from reelpack.clips.cut.keyframe import copy_window
from reelpack.clips.cut.window import AskedFrames, CutFile, measure_file, read_packet_index

CutMethod = Literal["exact", "keyframe"]
CUTS: tuple[CutMethod, ...] = get_args(CutMethod)


def cut_clip(
    path: Path,
    target: Path,
    *,
    how: CutMethod,
    start_seconds: float | None,
    end_seconds: float | None,
    comment: str = "",
) -> CutFile:
    """Cut a window out of a video and measure the result.

    Args:
        path: the video.
        target: file to write, mp4 under any name.
        how: "exact" encodes the frames again, with x264's defaults. "keyframe" copies them as they
            are, with what their decoding needs before and behind, hidden.
        start_seconds, end_seconds: the window, from the first shown frame on.
        comment: stored in the file.

    Raises:
        ClipError: "trim" where the video cannot be cut so, or the file shows something else than
            asked for; "too_short" for a window without a frame; what reading and decoding raise.
    """
    work = encode_window if how == "exact" else copy_window
    asked = work(
        path, target, start_seconds=start_seconds, end_seconds=end_seconds, comment=comment
    )
    return _keep_length(measure_file(target, asked), start_seconds, end_seconds)


def measure_clip(
    path: Path, target: Path, *, start_seconds: float | None, end_seconds: float | None
) -> CutFile:
    """Measure a file that `cut_clip` made earlier of the same video and window.

    Raises:
        ClipError: as `cut_clip` does.
    """
    index, _ = read_packet_index(path)
    asked = (
        AskedFrames.of_index(index, start_seconds, end_seconds)
        if index.plannable
        else AskedFrames.of_frames(path, start_seconds, end_seconds)
    )
    return _keep_length(measure_file(target, asked), start_seconds, end_seconds)


def _keep_length(cut: CutFile, start: float | None, end: float | None) -> CutFile:
    """Keep the window as long as it was: FAVDBench's rule divides by that."""
    if end is None:
        return cut
    # Without a start the window's time is that of the first frame, and so is the file's.
    moved = 0.0 if start is None else start - cut.start_seconds
    return dataclasses.replace(cut, end_seconds=end - moved)
