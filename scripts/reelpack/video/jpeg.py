"""Frames as JPEG files: by Pillow at a fixed quality, or as the ffmpeg program writes them."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import av.filter
import numpy as np
from PIL import Image

from reelpack.core.arrays import Frame

# What libavcodec's encoder takes; libavfilter chooses the one that loses least.
MJPEG_FORMATS = "yuvj420p|yuvj422p|yuvj444p"


def jpeg_bytes(frame: Frame, quality: int) -> bytes:
    """A JPEG file of `uint8[height, width, 3]`: libjpeg, colours at half the size, baseline.

    OpenCV's `imencode` with the same quality gives the same file.
    """
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def jpeg_pixels(data: bytes) -> Frame:
    """Decode a JPEG file to RGB `uint8[height, width, 3]`."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


class MjpegEncoder:
    """JPEG files as `ffmpeg -i CLIP %d.jpg` writes them, one clip in one thread.

    No quality is set there: libavcodec aims at 200 kbit/s, so a frame's quality follows from the
    rate and from the frames before it. The program encodes with several threads, each of which
    follows the frames that chance gives it; here it is one, as with its `-threads 1`.

    Args:
        rate: frames per second.
        pixel_aspect: width over height of a pixel, written into the file; None for unknown.
    """

    def __init__(self, rate: Fraction, pixel_aspect: Fraction | None = None) -> None:
        self._rate = rate
        self._pixel_aspect = pixel_aspect
        self._context: av.VideoCodecContext | None = None
        self._count = 0

    def __call__(self, frame: av.VideoFrame) -> bytes:
        """Encode the next frame, of one of `MJPEG_FORMATS`; all are of one size and format."""
        if self._context is None:
            self._context = self._open(frame)
        frame.pts, frame.time_base = self._count, 1 / self._rate
        frame.pict_type = av.video.frame.PictureType.NONE
        self._count += 1
        return b"".join(bytes(packet) for packet in self._context.encode(frame))

    def _open(self, frame: av.VideoFrame) -> av.VideoCodecContext:
        context = av.CodecContext.create("mjpeg", "w")
        context.width, context.height = frame.width, frame.height
        context.pix_fmt = frame.format.name
        context.time_base, context.framerate = 1 / self._rate, self._rate
        context.thread_count = 1
        if self._pixel_aspect:
            context.sample_aspect_ratio = self._pixel_aspect
        return context
