"""Frames in, H.264 packets out, by libx264 with its own defaults, as published datasets were cut."""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.codec
from av.sidedata.sidedata import Type as SideData

from reelpack.video.source import Packet, Source

# One thread: the bits depend on their number, and the caller decides how many clips run at once.
OPTIONS = {"preset": "medium", "crf": "23", "threads": "1"}
if platform.machine().lower() in {"x86_64", "amd64"}:
    # With AVX-512, x264 gives other bits now and then (libx264 of PyAV 18.1: a cut in four of a small
    # clip); SSE4 and AVX2 always give the same, and every processor of these has SSE4.
    OPTIONS["x264-params"] = "asm=SSE4"
_FORMATS = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray",
     "yuv420p10le", "yuv422p10le", "yuv444p10le", "gray10le"}
)  # fmt: skip
# libavutil's and libswscale's numbers.
_LIMITED, _BT601 = 1, 5


def pixel_format(name: str, *, width: int, height: int) -> str:
    """The pixel format to encode frames of format `name` in: their own where that can be.

    Chroma planes of half the size need even sides; odd frames keep all their pixels by whole
    chroma planes.
    """
    if name not in _FORMATS:
        layout = av.VideoFormat(name, width, height)
        depth = "10le" if layout.components[0].bits > 8 else ""
        wide = layout.is_rgb or layout.has_palette
        name = f"yuv{'444' if wide else '420'}p{depth}"
    odd = ("420" in name and (width % 2 or height % 2)) or ("422" in name and width % 2)
    return name.replace("420", "444").replace("422", "444") if odd else name


class X264Track:
    """The video track of an open mp4 file, made to the measure of its first frame.

    Args:
        output: the file, its header not yet written.
        source: where the frames come from; its shape of pixels is kept.
        first: the first frame; the others are brought to its size.
        rate: frames per second, for the encoder's estimates only.
        reorder: whether frames may refer to later ones; without, packets are as long as frames.
    """

    def __init__(
        self,
        output: av.container.OutputContainer,
        source: Source,
        first: av.VideoFrame,
        *,
        rate: Fraction,
        reorder: bool,
    ) -> None:
        options = OPTIONS | ({} if reorder else {"bf": "0"})
        self._time_base = source.time_base
        self._size = first.width, first.height
        self._format = pixel_format(first.format.name, width=first.width, height=first.height)
        self._colours: dict[str, int] = {}
        if first.format.is_rgb or first.format.has_palette:
            self._colours = {"dst_color_range": _LIMITED, "dst_colorspace": _BT601}
        elif first.color_range:
            self._colours = {"dst_color_range": int(first.color_range)}
        self.track = output.add_stream("libx264", rate=rate, options=options)
        context = self.track.codec_context
        context.width, context.height = self._size
        context.pix_fmt = self._format
        context.time_base = self._time_base
        if shape := source.stream.codec_context.sample_aspect_ratio:
            context.sample_aspect_ratio = shape
        shown = self._prepare(first, 0)
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(context, name, int(getattr(shown, name)))
        self._turn(first)

    def _turn(self, first: av.VideoFrame) -> None:
        """Keep how players turn the frames."""
        try:
            matrix = first.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]
        except ValueError:
            # PyAV knows no EXIF data, which cameras put into every frame of their MJPEG videos.
            if first.rotation:
                self.track.set_display_rotation(first.rotation)
            return
        if matrix is not None:
            self.track.set_display_matrix(struct.unpack("9i", bytes(matrix)))

    def packets(self, frames: Iterable[tuple[int, av.VideoFrame]]) -> Iterator[Packet]:
        """Encode frames at their stamps, in ticks of the source."""
        context = self.track.codec_context
        for stamp, frame in frames:
            yield from self._move_to_track(context.encode(self._prepare(frame, stamp)))
        yield from self._move_to_track(context.encode(None))

    def _prepare(self, frame: av.VideoFrame, stamp: int) -> av.VideoFrame:
        layout = (frame.width, frame.height), frame.format.name
        if layout != (self._size, self._format):
            width, height = self._size
            frame = frame.reformat(width, height, self._format, **self._colours)
        frame.pts, frame.time_base = stamp, self._time_base
        # The source's choice of key frames would be forced on the encoder.
        frame.pict_type = 0
        return frame

    def _move_to_track(self, packets: list[Packet]) -> Iterator[Packet]:
        for packet in packets:
            packet.stream = self.track
            yield packet
