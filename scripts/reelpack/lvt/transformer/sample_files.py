"""Generated videos as pictures: frames in, frames out, files that people look at.

A sample's folder holds its frames as `0.png`, `1.png` ..., as the published code (github rakhimovv/lvt)
names them: the first ones are what the VQ-VAE makes of the given frames, the others are new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.images.contact_sheet import contact_sheet
from reelpack.lvt.transformer.code_sampling import generate
from reelpack.lvt.transformer.model import VideoTransformer

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp"})
VIDEO, SHEET = "sample.mp4", "samples.png"
_BAR, _BAR_SHARE = (200, 30, 30), 24


class Codec(Protocol):
    """What turns frames into codes and back, as `encoders.vqvae.VQVAEEncoder` does."""

    batch_size: int

    def encode(self, frames: Frame) -> npt.NDArray[np.int64]:
        """Map uint8[B, H, W, 3] to int64[B, codebooks, h, w]."""
        ...

    def decode(self, tokens: npt.NDArray[np.int64]) -> Frame:
        """Map int64[B, codebooks, h, w] to uint8[B, H, W, 3]."""
        ...


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
    pictures = []
    for path in sorted(paths, key=_natural)[:count]:
        try:
            with Image.open(path) as image:
                pictures.append(np.asarray(image.convert("RGB")))
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path}: no picture: {error}") from error
    if len({picture.shape for picture in pictures}) > 1:
        raise UserError(f"{folder}: pictures of several sizes; all must have one")
    return np.stack(pictures)


def continue_frames(
    frames: Frame,
    codec: Codec,
    model: VideoTransformer,
    *,
    length: int,
    samples: Sequence[int],
    seed: int,
    temperature: float = 1.0,
) -> list[npt.NDArray[np.int64]]:
    """Draw continuations of one video.

    Args:
        frames: the given frames, uint8[n, H, W, 3].
        codec: the VQ-VAE whose codes the model has learned.
        model: the transformer, on the device it computes on.
        length: frames of the result.
        samples: numbers of the samples.
        seed: decides, with a sample's number, all its draws.
        temperature: divides the scores; 0 takes the likeliest code.

    Returns:
        The codes of each sample, int64[length, codebooks, h, w]; the first n are the given frames'.

    Raises:
        ClipError: the frames' sides do not suit the codec.
        UserError: the codes do not suit the model.
    """
    device = next(model.parameters()).device
    given = torch.from_numpy(_in_batches(codec.encode, frames, codec.batch_size)).to(device)
    prime = given.transpose(0, 1).expand(len(samples), -1, -1, -1, -1)
    drawn = generate(
        model, prime, frames=length, seed=seed, samples=samples, temperature=temperature
    )
    return list(drawn.transpose(1, 2).cpu().numpy())


def decode_codes(codec: Codec, codes: npt.NDArray[np.int64]) -> Frame:
    """Map the codes of a video, int64[T, codebooks, h, w], to frames uint8[T, H, W, 3]."""
    return _in_batches(codec.decode, codes, codec.batch_size)


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
        # More threads cut pictures differently, and the bytes would depend on the machine.
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
    marked = [(title, _with_bar(frames, primed)) for title, frames in rows]
    sheet = contact_sheet(marked, columns=columns)
    with replace_file(path) as temporary:
        sheet.save(temporary, format="PNG")


def _with_bar(frames: Frame, primed: int) -> list[Frame]:
    """Put a narrow red picture behind the first `primed` frames."""
    height = frames.shape[1]
    bar = np.empty((height, max(1, height // _BAR_SHARE), 3), np.uint8)
    bar[:] = _BAR
    return [*frames[:primed], bar, *frames[primed:]]


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Order numbers in a name by their value."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _in_batches(call: Any, items: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Call with batches of one size, the last filled up, so that no kernel is chosen by chance."""
    filled = np.concatenate([items, np.repeat(items[-1:], -len(items) % size, axis=0)])
    parts = [call(filled[first : first + size]) for first in range(0, len(filled), size)]
    return np.concatenate(parts)[: len(items)]
