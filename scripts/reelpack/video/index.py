"""The index of a clip: what its container says about the frames, read without decoding them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt

from reelpack.core.errors import ClipError
from reelpack.video.bitstream import Traits, inspector
from reelpack.video.geometry import orientation
from reelpack.video.source import Packet, Source, StreamChoice, open_source

Stamps = npt.NDArray[np.int64]

# Containers that store presentation stamps; elsewhere libavformat guesses them.
_STAMPED_FORMATS = frozenset(
    {"mov", "mp4", "matroska", "webm", "mpegts", "mpeg", "flv", "ogg", "nut", "ivf", "mxf"}
)
_SETTINGS = frozenset({"new_extradata", "param_change"})
# A jump as long as this is a counter of 32 bits that ran over, not a pause.
_WRAP_TICKS = 1 << 30
# Decoders that give frames in the order of their packets.
_UNORDERED_CODECS = frozenset(
    {"mjpeg", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "msmpeg4", "wmv1", "wmv2", "h263", "flv1",
     "huffyuv", "ffvhuff", "utvideo", "rawvideo", "png", "vp8", "prores", "dnxhd", "dvvideo"}
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The frames of a clip's first video stream that a player shows, and how they are stored.

    Args:
        width, height: stored size in pixels, before `rotation`.
        rotation: degrees clockwise to turn a frame for display: 0, 90, 180 or 270.
        average_rate: frames per second as the container states or libavformat estimates, or None.
        stated_seconds: the stream's length, where its header states both length and count of its
            frames (mp4 and avi do; mkv, webm and mpeg-ts do not): to the microsecond, as the
            ffprobe program prints it.
        pts: `int64[n]`, presentation stamps in ticks of `time_base`, in display order.
        durations: `int64[n]`, ticks that each frame stays, as far as the container knows.
        origin_pts: the tick at which the file starts, perhaps before the first frame.
        packet_pts: `int64[m]` in decode order, frames hidden by edit lists included.
        packet_traits: `uint8[m]`, `Traits` of each packet.
        packet_shown: `bool[m]`, False for packets whose frame is hidden.
        stream_count: streams of any kind in the file.
        unplannable: why stamps and packets cannot be matched, None where they can.
        is_frame: it is one frame that lasts no time.
        container_seconds: the file's duration as the container states it, None where it does not.
        pixel_aspect: width over height of a stored pixel, None where nothing states it.
    """

    path: Path
    stream_index: int
    codec: str
    width: int
    height: int
    rotation: int
    time_base: Fraction
    average_rate: Fraction | None
    pts: Stamps
    durations: Stamps
    origin_pts: int
    packet_pts: Stamps
    packet_traits: npt.NDArray[np.uint8]
    packet_shown: npt.NDArray[np.bool_]
    stream_count: int
    has_audio: bool
    unplannable: str | None
    is_frame: bool = False
    stated_seconds: float | None = None
    container_seconds: float | None = None
    pixel_aspect: Fraction | None = None

    @property
    def plannable(self) -> bool:
        """Whether frames can be chosen and found without decoding everything."""
        return self.unplannable is None

    @property
    def display_width(self) -> int:
        """Pixels across after rotation."""
        return self.height if self.rotation in (90, 270) else self.width

    @property
    def display_height(self) -> int:
        """Pixels down after rotation."""
        return self.width if self.rotation in (90, 270) else self.height

    @property
    def duration_seconds(self) -> float:
        """Seconds from the first shown frame to the end of the last."""
        if not len(self.pts):
            return 0.0
        return float((int(self.pts[-1] + self.durations[-1]) - int(self.pts[0])) * self.time_base)

    @functools.cached_property
    def entries(self) -> Stamps:
        """Packets (positions in decode order) at which decoding may start."""
        return np.flatnonzero(self.packet_traits & Traits.ENTRY)

    @functools.cached_property
    def droppable(self) -> npt.NDArray[np.bool_]:
        """`bool[m]`: packets that no other packet needs."""
        if (self.packet_traits & Traits.LAYERED).any():
            return np.zeros(len(self.packet_traits), dtype=np.bool_)
        return np.asarray((self.packet_traits & Traits.UNREFERENCED) != 0)


def index_video(path: Path | str, *, stream: StreamChoice = "first") -> VideoIndex:
    """Index a video stream of a file; see `Source` for which.

    Raises:
        ClipError: "missing", "corrupt" (not a video file, or cut short) or "no_video".
    """
    with open_source(path, stream=stream) as source:
        probe = _FirstFrame(source)
        index = read_index(source, keep=probe.feed)
    return dataclasses.replace(index, rotation=probe.rotation)


def read_index(source: Source, *, keep: Callable[[Packet], None] | None = None) -> VideoIndex:
    """Index an open clip by reading its packets once; `keep` is shown each of them in order.

    The rotation is not in the packets: it is left 0.
    """
    stream = source.stream
    codec = stream.codec_context.codec.canonical_name
    inspect = inspector(codec, stream.codec_context.extradata)
    stamps: list[int | None] = []
    decode_stamps: list[int] = []
    durations: list[int] = []
    traits: list[int] = []
    shown: list[bool] = []
    changes = 0
    for packet in source.packets():
        if packet.is_corrupt:
            raise ClipError("corrupt", f"{source.path}: packet {len(stamps)} is damaged or cut")
        stamps.append(packet.pts)
        if packet.dts is not None:
            decode_stamps.append(packet.dts)
        durations.append(packet.duration or 0)
        traits.append(inspect(memoryview(packet), packet.is_keyframe))
        shown.append(not packet.is_discard)
        changes += any(data.data_type in _SETTINGS for data in packet.iter_sidedata())
        if keep is not None:
            keep(packet)
    source.check_complete(len(stamps))
    if not stamps:
        raise ClipError("corrupt", f"{source.path}: the video stream has no frames")
    packet_pts, known = _packet_stamps(stamps)
    packet_traits = np.array(traits, dtype=np.uint8)
    packet_shown = np.array(shown, dtype=np.bool_)
    pts, lengths = _in_display_order(packet_pts, np.array(durations, dtype=np.int64), packet_shown)
    return VideoIndex(
        path=source.path,
        stream_index=stream.index,
        codec=codec,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        rotation=0,
        time_base=source.time_base,
        average_rate=stream.average_rate,
        stated_seconds=source.stated_seconds,
        pts=pts,
        durations=lengths,
        origin_pts=source.origin_pts(int(pts[0]) if len(pts) else 0),
        packet_pts=packet_pts,
        packet_traits=packet_traits,
        packet_shown=packet_shown,
        stream_count=len(source.container.streams),
        has_audio=source.has_audio,
        unplannable=_unplannable(
            source,
            codec,
            packet_pts if known else None,
            packet_traits,
            decode_stamps=np.array(decode_stamps, dtype=np.int64),
            changes=changes,
        ),
        container_seconds=source.container_seconds,
        pixel_aspect=stream.sample_aspect_ratio,
    )


class _FirstFrame:
    """Decodes packets until the first frame comes out, which alone tells the rotation."""

    def __init__(self, source: Source) -> None:
        self._decoder = source.decoder()
        self._found = False
        self.rotation = 0

    def feed(self, packet: Packet) -> None:
        if self._found:
            return
        # Damage is for the decoding proper to report.
        with contextlib.suppress(av.error.InvalidDataError):
            for frame in self._decoder.decode(packet):
                self.rotation, _ = orientation(frame)
                self._found = True


def _packet_stamps(stamps: list[int | None]) -> tuple[Stamps, bool]:
    """Presentation stamps in decode order; where some are missing, plain counting and False."""
    if any(stamp is None for stamp in stamps):
        return np.arange(len(stamps), dtype=np.int64), False
    return np.array(stamps, dtype=np.int64), True


def _in_display_order(
    packet_pts: Stamps, durations: Stamps, shown: npt.NDArray[np.bool_]
) -> tuple[Stamps, Stamps]:
    order = np.argsort(packet_pts[shown], kind="stable")
    return packet_pts[shown][order], durations[shown][order]


def _unplannable(
    source: Source,
    codec: str,
    packet_pts: Stamps | None,
    traits: npt.NDArray[np.uint8],
    *,
    decode_stamps: Stamps,
    changes: int,
) -> str | None:
    """Why the stamps cannot be trusted to name the decoder's frames, or None."""
    if packet_pts is None:
        return "packets without presentation stamps"
    if len(np.unique(packet_pts)) != len(packet_pts):
        return "packets that share a presentation stamp"
    if len(packet_pts) > 1 and np.diff(np.sort(packet_pts)).max() > _WRAP_TICKS:
        return "stamps that wrap around"
    if (decode_stamps[1:] <= decode_stamps[:-1]).any():
        return "decode stamps that do not rise"
    if (traits & Traits.PACKED).any():
        return "packets with several frames"
    if changes:
        return "settings that change inside the stream"
    if _STAMPED_FORMATS.isdisjoint(source.container.format.name.split(",")) and not (
        _order_is_known(codec, packet_pts, traits)
    ):
        return "presentation stamps that the container does not store"
    return None


def _order_is_known(codec: str, packet_pts: Stamps, traits: npt.NDArray[np.uint8]) -> bool:
    """Whether guessed stamps agree with the order in which the decoder gives its frames."""
    order = np.arange(len(packet_pts))
    if codec in {"mpeg4", "mpeg2video", "mpeg1video"}:
        # A frame that others refer to is shown after the unreferenced ones that follow it.
        references = np.flatnonzero((traits & Traits.UNREFERENCED) == 0)
        place = order - 1
        place[references] = np.append(references[1:] - 1, len(order) - 1)
        order = place if len(references) < len(order) else order
    elif codec not in _UNORDERED_CODECS:
        return False
    return bool((np.argsort(packet_pts, kind="stable") == np.argsort(order, kind="stable")).all())
