"""The index of a clip: what its container says about the frames, read without decoding them."""

from __future__ import annotations

import dataclasses
import functools
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reelpack.core.errors import ClipError
from reelpack.video.bitstream import Traits, inspector, knows_entries
from reelpack.video.clock import round_half_away
from reelpack.video.first_frame import FirstFrame
from reelpack.video.source import Packet, Source, StreamChoice, open_source

Stamps = npt.NDArray[np.int64]

# Containers that store presentation stamps; elsewhere libavformat guesses them.
_STAMPED_FORMATS = frozenset(
    {"mov", "mp4", "matroska", "webm", "mpegts", "mpeg", "flv", "ogg", "nut", "ivf", "mxf"}
)
# Codecs with frames that are shown before the entry which they follow, and perhaps cannot be decoded.
_LEADING_CODECS = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"})
_SETTINGS = frozenset({"new_extradata", "param_change"})
# libav's own value for a stamp that is missing.
_UNKNOWN = -(1 << 63)
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
        packet_sizes: `int64[m]`, bytes of each packet, None where nobody needs them.
        stream_count: streams of any kind in the file.
        unplannable: why stamps and packets cannot be matched, None where they can.
        uncertain_start: the first packets may give no frames, since the stream begins in mid-GOP.
        stamps_known: each packet carries its presentation stamp; where not, decode stamps stand in
            and, where those are missing too, durations.
        timed: at least one packet carries a stamp of any kind.
        zero_pts: the tick from which windows count, where it is not the first of `pts`.
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
    packet_sizes: npt.NDArray[np.int64] | None = None
    uncertain_start: bool = False
    stamps_known: bool = True
    timed: bool = True
    zero_pts: int | None = None
    is_frame: bool = False
    stated_seconds: float | None = None
    container_seconds: float | None = None
    pixel_aspect: Fraction | None = None

    @property
    def plannable(self) -> bool:
        """Whether frames can be chosen and found without decoding everything."""
        return self.unplannable is None and not self.uncertain_start

    @property
    def first_pts(self) -> int:
        """The tick from which windows count: the first shown frame's that the container tells of."""
        return int(self.pts[0]) if self.zero_pts is None else self.zero_pts

    def with_frames(self, pts: Stamps, durations: Stamps) -> VideoIndex:
        """The index with the frames that the decoder gave, in its order.

        Windows go on counting from the first frame that the container tells of.
        """
        zero = int(pts[0])
        if self.stamps_known and len(self.pts):
            zero = min(zero, int(self.pts[0]))
        return dataclasses.replace(self, pts=pts, durations=durations, zero_pts=zero)

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
        """Seconds from the first shown frame to the end of the last; 0 where no stamp is known."""
        if not len(self.pts) or not self.timed:
            return 0.0
        return float((int(self.pts[-1] + self.durations[-1]) - int(self.pts[0])) * self.time_base)

    @functools.cached_property
    def _by_stamp(self) -> tuple[Stamps, Stamps]:
        """Packets' stamps, rising, and the places of these packets."""
        order = np.argsort(self.packet_pts, kind="stable")
        return self.packet_pts[order], order

    def find_packets(self, stamps: Stamps) -> Stamps:
        """Places in decode order of the packets with these stamps, all of which there are."""
        rising, order = self._by_stamp
        return order[np.searchsorted(rising, stamps)]

    def find_packet(self, stamp: int | None) -> int | None:
        """Place in decode order of the packet with a stamp, None where there is none."""
        rising, order = self._by_stamp
        if stamp is None:
            return None
        place = int(np.searchsorted(rising, stamp))
        return int(order[place]) if place < len(rising) and rising[place] == stamp else None

    @functools.cached_property
    def rising_pts(self) -> Stamps:
        """`pts`, each no less than those before: stamps that go back keep the decoder's order."""
        return np.maximum.accumulate(self.pts)

    @functools.cached_property
    def least_step(self) -> int:
        """Ticks from a shown frame to the next, the least of all; 0 for less than two frames."""
        return int(np.diff(self.pts).min(initial=0)) if len(self.pts) > 1 else 0

    @functools.cached_property
    def entries(self) -> Stamps:
        """Packets (positions in decode order) at which decoding may start."""
        return np.flatnonzero(self.packet_traits & Traits.ENTRY)

    @functools.cached_property
    def usable_entries(self) -> Stamps:
        """Entries that miss no parameter sets when the packets before them are left out."""
        carries = (self.packet_traits & Traits.PARAMETER_SETS) != 0
        # Parameter sets inside the stream may change; an entry that brings its own is safe.
        return self.entries[carries[self.entries]] if carries[1:].any() else self.entries

    @functools.cached_property
    def droppable(self) -> npt.NDArray[np.bool_]:
        """`bool[m]`: packets that no other packet needs."""
        if (self.packet_traits & Traits.LAYERED).any():
            return np.zeros(len(self.packet_traits), dtype=np.bool_)
        return np.asarray((self.packet_traits & Traits.UNREFERENCED) != 0)


def index_video(path: Path | str, *, stream: StreamChoice = "first") -> VideoIndex:
    """Index a video stream of a file; see `Source` for which.

    Raises:
        ClipError: "missing", "corrupt" (not a video file, or cut short), "no_video", or "decode" (no
            frame can be decoded).
    """
    with open_source(path, stream=stream) as source:
        first = FirstFrame(source)
        index = read_index(source, keep=first.feed)
        width, height, rotation = first.size_and_rotation()
    if index.width and index.height:
        width, height = index.width, index.height
    return dataclasses.replace(index, width=width, height=height, rotation=rotation)


def read_index(source: Source, *, keep: Callable[[Packet], None] | None = None) -> VideoIndex:
    """Index an open clip by reading its packets once; `keep` is shown each of them in order.

    The rotation is not in the packets: it is left 0.

    Raises:
        ClipError: "corrupt".
    """
    found = _Found.of(source, keep)
    stream = source.stream
    rate = stream.average_rate or _usual_rate(found, source.time_base)
    usual = round_half_away(1 / (rate * source.time_base)) if rate else 1
    pts, lengths = _in_display_order(found.pts, found.durations, found.shown, usual)
    uncertain = _start_is_uncertain(found)
    if not (stream.codec_context.width and stream.codec_context.height):
        uncertain = True
    return VideoIndex(
        path=source.path,
        stream_index=stream.index,
        codec=found.codec,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        rotation=0,
        time_base=source.time_base,
        average_rate=rate,
        stated_seconds=source.stated_seconds,
        pts=pts,
        durations=lengths,
        origin_pts=source.origin_pts(int(pts[0]) if len(pts) else 0),
        packet_pts=found.pts,
        packet_traits=found.traits,
        packet_shown=found.shown,
        packet_sizes=found.sizes,
        stream_count=len(source.container.streams),
        has_audio=source.has_audio,
        unplannable=_unplannable(source, found),
        uncertain_start=uncertain,
        stamps_known=found.known,
        timed=found.timed,
        container_seconds=source.container_seconds,
        pixel_aspect=stream.sample_aspect_ratio,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """What the packets of a stream say, in decode order; see `VideoIndex`.

    Args:
        known: all packets carry presentation stamps.
        timed: at least one packet carries a stamp of any kind.
        changes: how many packets change the decoder's settings.
        suspects: how many packets libav marks as damaged, though their frames may be whole.
    """

    codec: str
    pts: Stamps
    decode_stamps: Stamps
    durations: Stamps
    traits: npt.NDArray[np.uint8]
    shown: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    known: bool
    timed: bool
    changes: int
    suspects: int

    @classmethod
    def of(cls, source: Source, keep: Callable[[Packet], None] | None) -> _Found:
        context = source.stream.codec_context
        codec = context.codec.canonical_name
        inspect = inspector(codec, context.extradata)
        stamps, decode_stamps, durations, sizes = (array("q") for _ in range(4))
        traits, shown = bytearray(), bytearray()
        changes = suspects = 0
        for packet in source.packets():
            if packet.is_corrupt:
                source.suspect(packet, len(sizes))
                suspects += 1
            stamps.append(_UNKNOWN if packet.pts is None else packet.pts)
            decode_stamps.append(_UNKNOWN if packet.dts is None else packet.dts)
            durations.append(packet.duration or 0)
            sizes.append(packet.size)
            traits.append(inspect(memoryview(packet), packet.is_keyframe))
            shown.append(not packet.is_discard)
            changes += any(data.data_type in _SETTINGS for data in packet.iter_sidedata())
            if keep is not None:
                keep(packet)
        source.check_complete(len(sizes))
        if not sizes:
            raise ClipError("corrupt", f"{source.path}: the video stream has no frames")
        pts, dts = np.array(stamps), np.array(decode_stamps)
        known = bool((pts != _UNKNOWN).all())
        return cls(
            codec=codec,
            pts=pts if known else _estimated(pts, dts, durations, source.origin_pts(0)),
            decode_stamps=dts[dts != _UNKNOWN],
            durations=np.array(durations),
            traits=np.frombuffer(traits, dtype=np.uint8),
            shown=np.frombuffer(shown, dtype=np.bool_),
            sizes=np.array(sizes),
            known=known,
            timed=bool((pts != _UNKNOWN).any() or (dts != _UNKNOWN).any()),
            changes=changes,
            suspects=suspects,
        )


def _estimated(pts: Stamps, dts: Stamps, durations: Iterable[int], origin_pts: int) -> Stamps:
    """Stand-ins for missing stamps: decode stamps, then durations, from the start of the file."""
    estimates = np.where(pts != _UNKNOWN, pts, dts)
    following = origin_pts
    for place, duration in enumerate(durations):
        if estimates[place] == _UNKNOWN:
            estimates[place] = following
        following = int(estimates[place]) + (duration or 1)
    return estimates


def _usual_rate(found: _Found, time_base: Fraction) -> Fraction | None:
    """Frames per second by the distance of most frames."""
    if not found.known or len(found.pts) < 2:
        return None
    distance = int(np.median(np.diff(np.sort(found.pts))))
    return 1 / (distance * time_base) if distance > 0 else None


def _in_display_order(
    packet_pts: Stamps, durations: Stamps, shown: npt.NDArray[np.bool_], usual: int
) -> tuple[Stamps, Stamps]:
    """Stamps and durations of the shown frames, as `clock.FrameClock` estimates them."""
    order = np.argsort(packet_pts[shown], kind="stable")
    pts, lengths = packet_pts[shown][order], durations[shown][order]
    since = np.diff(pts, prepend=pts[:1])
    made_up = (lengths <= 0) | ((lengths == 1) & (since > 2))
    estimates = np.where(since > 0, since, np.where(lengths > 0, lengths, max(usual, 1)))
    return pts, np.where(made_up, estimates, lengths)


def _start_is_uncertain(found: _Found) -> bool:
    """Whether the first packets may give no frames, without a word from the decoder."""
    if not knows_entries(found.codec):
        return False
    if not found.traits[0] & Traits.ENTRY:
        return True
    return found.codec in _LEADING_CODECS and bool((found.pts[1:] < found.pts[0]).any())


def _unplannable(source: Source, found: _Found) -> str | None:
    """Why the stamps cannot be trusted to name the decoder's frames, or None."""
    if not found.known:
        return "packets without presentation stamps"
    if source.mender.mended:
        return "stamps that jump"
    if len(np.unique(found.pts)) != len(found.pts):
        return "packets that share a presentation stamp"
    if len(found.pts) > 1 and np.diff(np.sort(found.pts)).max() > _WRAP_TICKS:
        return "stamps that wrap around"
    if (found.decode_stamps[1:] <= found.decode_stamps[:-1]).any():
        return "decode stamps that do not rise"
    if (found.traits & Traits.PACKED).any():
        return "packets with several frames"
    if found.changes:
        return "settings that change inside the stream"
    if found.suspects:
        return "packets that may be damaged"
    # Packets of packed AVI files keep their order of decoding in every container.
    stored = not _STAMPED_FORMATS.isdisjoint(source.container.format.name.split(","))
    if (not stored or found.codec == "mpeg4") and not _order_is_known(
        found.codec, found.pts, found.traits
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
