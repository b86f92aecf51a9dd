"""Samples as files that people look at: pictures, a video, one sheet of all.

A sample's folder holds its frames as `0.png`, `1.png` ..., as the published code (github rakhimovv/lvt)
names them: the first ones are what the VQ-VAE makes of the given frames, the others are new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.images.contact_sheet import contact_sheet

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp"})
VIDEO, SHEET = "sample.mp4", "samples.png"
_BAR, _BAR_SHARE = (200, 30, 30), 24


def read_frames(folder: Path, count: int) -> Frame:
    """Read the first pictures of a folder, numbers in their names counting as numbers.

    Args:
        folder: holds pictures of one size; other files are passed over.
        count: how many to read.

    Returns:
        uint8[count, H, W, 3].

    Raises:
        UserError: there are fewer, they cannot be read, or they differ in size.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of frames")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    if len(paths) < count:
        raise UserError(f"{folder}: has {len(paths)} pictures, needed are {count}")
    frames = []
    for path in sorted(paths, key=_order_numbers)[:count]:
        try:
            with Image.open(path) as image:
                frames.append(np.asarray(image.convert("RGB")))
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path}: not a picture: {error}") from error
    if len({frame.shape for frame in frames}) > 1:
        raise UserError(f"{folder}: pictures of several sizes; all must have one")
    return np.stack(frames)


def write_sample(folder: Path, frames: Frame, *, fps: int) -> None:
    """Write a sample's frames as pictures and as a video.

    Args:
        folder: made if missing.
        frames: uint8[T, H, W, 3], sides even.
        fps: pace of the video, frames per second.
    """
    for number, frame in enumerate(frames):
        with replace_file(folder / f"{number}.png") as temporary:
            Image.fromarray(frame).save(temporary, format="PNG")
    write_video(folder / VIDEO, frames, fps=fps)


def write_video(path: Path, frames: Frame, *, fps: int) -> None:
    """Write an mp4 that every player shows: H.264, 4:2:0, nearly without loss (crf 8).

    Args:
        path: the file.
        frames: uint8[T, H, W, 3], sides even.
        fps: frames per second.
    """
    with replace_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        # More threads cut frames differently, and the bytes would depend on the machine.
        options = {"crf": "8", "threads": "1"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_sheet(path: Path, rows: Sequence[tuple[str, Frame]], *, primed: int) -> None:
    """Write one picture with a titled row of frames per video, a red bar behind the primed ones.

    Args:
        path: the PNG file.
        rows: title and frames, uint8[T, H, W, 3].
        primed: how many frames of a row are given.
    """
    columns = max(len(frames) for _, frames in rows) + 1
    marked = [(title, _add_bar(frames, primed)) for title, frames in rows]
    sheet = contact_sheet(marked, columns=columns)
    with replace_file(path) as temporary:
        sheet.save(temporary, format="PNG")


def _add_bar(frames: Frame, primed: int) -> list[Frame]:
    """Put a narrow red frame behind the first `primed` frames."""
    height = frames.shape[1]
    bar = np.empty((height, max(1, height // _BAR_SHARE), 3), np.uint8)
    bar[:] = _BAR
    return [*frames[:primed], bar, *frames[primed:]]


def _order_numbers(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Order numbers in a name by their value."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name
