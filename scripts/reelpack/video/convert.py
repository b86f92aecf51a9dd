"""From a decoded frame to RGB at the wanted size, by libavfilter as the ffmpeg program does it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np

from reelpack.core.arrays import Frame
from reelpack.video.geometry import Scale, orientation, scaled_size, square_frame
from reelpack.video.index import VideoIndex
from reelpack.video.jpeg import MJPEG_FORMATS, MjpegEncoder, jpeg_bytes

Image = Frame | bytes


class Converter:
    """Turns the frames of one clip into `uint8[height, width, 3]`, or JPEG files, for one `Scale`.

    The size is fixed by the clip's own size, so frames of another size in mid-stream are brought
    to it. One filter graph serves until a frame of another layout arrives.

    Args:
        rate: chosen frames per second, which decides over the quality of `jpeg: ffmpeg`; by
            default the clip's own rate.
    """

    def __init__(self, scale: Scale, index: VideoIndex, *, rate: Fraction | None = None) -> None:
        self._scale = scale
        self._stored_size = index.width, index.height
        self._time_base = index.time_base
        self._layout: tuple[Any, ...] | None = None
        self._graph: av.filter.Graph | None = None
        aspect = index.pixel_aspect
        if aspect and index.rotation in (90, 270):
            aspect = 1 / aspect
        self._encode = MjpegEncoder(rate or index.average_rate or Fraction(25), aspect)

    def __call__(self, frame: av.VideoFrame) -> Image:
        """Convert one frame; the array belongs to the caller."""
        layout = (
            frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range,
        )  # fmt: skip
        if self._graph is None or layout != self._layout:
            self._graph, self._layout = self._build(frame), layout
        self._graph.vpush(frame)
        filtered = self._graph.vpull()
        if self._scale.jpeg == "ffmpeg":
            return self._encode(filtered)
        pixels: Frame = np.ascontiguousarray(filtered.to_ndarray())
        if self._scale.square is not None:
            pixels = square_frame(pixels, self._scale.square)
        return pixels if self._scale.jpeg is None else jpeg_bytes(pixels, self._scale.jpeg)

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        # One thread: the caller decides how many clips run at once.
        graph.threads = 1
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=str(self._time_base),
            colorspace=str(int(frame.colorspace)),
            range=str(int(frame.color_range)),
        )
        nodes = [source]
        degrees, filters = orientation(frame)
        for text in filters:
            name, _, arguments = text.partition("=")
            nodes.append(graph.add(name, arguments or None))
        width, height = self._stored_size[:: -1 if degrees in (90, 270) else 1]
        if self._scale.shorter_side is not None:
            width, height = scaled_size(width, height, shorter_side=self._scale.shorter_side)
        nodes.append(graph.add("scale", f"{width}:{height}:flags={self._scale.scaler}"))
        formats = MJPEG_FORMATS if self._scale.jpeg == "ffmpeg" else "rgb24"
        nodes.append(graph.add("format", formats))
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes).configure()
        return graph
