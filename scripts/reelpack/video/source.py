"""An open clip: the one place that calls libavformat, and that turns its errors into ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, NoReturn

import av
import av.error
from av.container.core import Flags
from av.format import Flags as FormatFlags
from av.stream import Discard, Disposition

from reelpack.core.errors import ClipError, FailureClass, blame_clip
from reelpack.video.boxes import movie_seconds
from reelpack.video.clock import FrameClock, StampMender, round_half_away
from reelpack.video.clock import Packet as Packet
from reelpack.video.damage import LIBAV_ERRORS, Decoding, Judge, complaint_of_file, forget, reason

_MICROSECOND = Fraction(1, 1_000_000)
# Only the file itself: a playlist in the guise of a video must not open the network.
OPEN_OPTIONS = {"protocol_whitelist": "file"}
# Formats that name other files to be read.
_FOLLOWS_FILES = frozenset({"concat", "dash", "hls", "imf", "rtsp", "sdp", "tty"})
_CLOCK_JUMPS = int(FormatFlags.ts_discont.value)  # type: ignore[call-overload]
_NO_STAMPS = int(FormatFlags.no_timestamps.value)  # type: ignore[call-overload]
# Larger frames are damaged sizes; libav would ask for their memory.
MAX_FRAME_PIXELS = 1 << 28
_DECODER_OPTIONS = {"max_pixels": str(MAX_FRAME_PIXELS)}
# Some writers count RIFF's own header into the size that it states.
_RIFF_SLACK = 16
# What the ffmpeg program adds to the pixels of a stream that is marked as the default one.
_DEFAULT_PIXELS = 5_000_000
StreamChoice = Literal["first", "largest"]


class Source:
    """A video stream of an open file; `packets` reads it from the start, once.

    Args:
        path: the file.
        container: the same, open.
        stream: "first" of the video streams that are no cover frame, or "largest" of them, which
            the ffmpeg program takes by itself: the default one before others, then by pixels.
    """

    def __init__(
        self,
        path: Path,
        container: av.container.InputContainer,
        *,
        stream: StreamChoice = "first",
    ) -> None:
        self.path = path
        self.container = container
        # PyAV asks libavformat to make up missing stamps; the ffmpeg program does not.
        container.flags &= ~int(Flags.gen_pts.value)  # type: ignore[call-overload]
        if not _FOLLOWS_FILES.isdisjoint(container.format.name.split(",")):
            raise ClipError("corrupt", f"{path}: a {container.format.name} list, not a video file")
        videos = [
            s
            for s in container.streams.video
            if not int(s.disposition) & int(Disposition.attached_pic)
        ]
        if not container.streams:
            raise ClipError("corrupt", f"{path}: the file has no streams, is it cut short?")
        if not videos:
            raise ClipError("no_video", f"{path}: the file has no video stream")
        self.stream = videos[0] if stream == "first" else max(videos, key=_pixels)
        self.time_base = Fraction(self.stream.time_base or 1)
        if not (self.stream.codec_context and self.stream.codec_context.is_decoder):
            raise ClipError("decode", f"{path}: no decoder for its video stream")
        context = self.stream.codec_context
        check_size(path, context.width, context.height, MAX_FRAME_PIXELS)
        self.stated_seconds = self._stated_seconds()
        self._complaint = complaint_of_file()
        self.mender = StampMender(
            self.time_base,
            jumps_allowed=bool(int(container.format.flags) & _CLOCK_JUMPS),
            average_rate=self.stream.average_rate,
            origin_pts=self.origin_pts(0),
        )
        self.has_audio = bool(container.streams.audio)
        for other in container.streams:
            if other.index != self.stream.index:
                other.discard = Discard.all

    def _stated_seconds(self) -> float | None:
        if not self.stream.frames or self.stream.duration is None:
            return None
        base = self.time_base.numerator / self.time_base.denominator
        return float(f"{self.stream.duration * base:f}")

    def seek(self, pts: int) -> None:
        """Have `packets` go on at the last keyframe, as the container knows it, up to a stamp.

        Raises:
            FFmpegError: the container cannot be sought.
        """
        self.container.seek(pts, stream=self.stream)

    def packets(self, *, mend: bool = True) -> Iterator[Packet]:
        """Packets with content, in decode order, with the stamps that the ffmpeg program gives them.

        Args:
            mend: False for stamps as they stand in the file, which are the same where none is wrong.

        Raises:
            ClipError: "corrupt" when libav complains about the file.
        """
        complaint, self._complaint = self._complaint, None
        last: Packet | None = None
        for packet in self._demuxed():
            complaint = complaint or complaint_of_file()
            if complaint:
                raise ClipError(
                    "corrupt",
                    f"{self.path}: damaged{self._place(last)}: libav says: {complaint}",
                )
            if packet.size:
                if mend:
                    self.mender.mend(packet)
                yield packet
                forget()
                last = packet

    def _demuxed(self) -> Iterator[Packet]:
        packets = iter(self.container.demux(self.stream))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError as error:
                # PyAV counts the streams once, when the file is opened.
                raise ClipError("corrupt", f"{self.path}: a stream begins in mid-file") from error
            except LIBAV_ERRORS as error:
                raise_clip_error(self.path, "corrupt", error)
            yield packet

    def suspect(self, packet: Packet, number: int) -> None:
        """Judge a packet that libav marks as damaged, the `number`th from 0.

        In transport streams the mark may come from a join: there the decoder decides.

        Raises:
            ClipError: "corrupt".
        """
        if not int(self.container.format.flags) & _CLOCK_JUMPS:
            place = self._place(packet).replace("behind", "at")
            raise ClipError("corrupt", f"{self.path}: packet {number}{place} is damaged or cut")

    def _place(self, packet: Packet | None) -> str:
        stamp = None if packet is None else packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            return ""
        return f" behind {float((stamp - self.origin_pts(stamp)) * self.time_base):.2f} s"

    def decoding(self) -> Decoding:
        """A run of the stream's decoder."""
        return Decoding(self.decoder())

    def judge(self) -> Judge:
        """What tells damage from a start in mid-stream, for a run over all packets."""
        return Judge(
            self.path,
            self.stream.codec_context,
            time_base=self.time_base,
            origin_pts=self.origin_pts(0),
            promises_length=self.promises_length,
            promised_entry=self._promised_entry(),
        )

    def _promised_entry(self) -> int | None:
        """The stamp of the first keyframe that the container lists, None where it lists none.

        Packets' own marks do not tell: parsers take them away where they find no keyframe.
        """
        if not (self._has_format("mov") or self._has_format("matroska")):
            return None
        entry = next(iter(self.stream.index_entries), None)
        return entry.timestamp if entry is not None and entry.is_keyframe else None

    def decoder(self) -> av.VideoCodecContext:
        """The stream's decoder, with one thread: the caller decides how many clips run at once."""
        decoder = self.stream.codec_context
        if not decoder.is_open:
            decoder.thread_type = "NONE"
            decoder.thread_count = 1
            decoder.options = dict(_DECODER_OPTIONS)
        return decoder

    def origin_pts(self, default: int) -> int:
        """The tick at which the file starts; the ffmpeg program counts time from there.

        In formats whose clocks may jump (MPEG-TS, Ogg) it looks at the streams that it uses only.
        """
        if int(self.container.format.flags) & _CLOCK_JUMPS:
            start = self.stream.start_time
            return default if start is None else start
        microseconds: int | None = self.container.start_time
        if microseconds is None:
            return default
        return round_half_away(microseconds * _MICROSECOND / self.time_base)

    def clock(self) -> FrameClock:
        """What gives the frames of a run over all packets their stamps."""
        return FrameClock(
            self.time_base,
            average_rate=self.stream.average_rate,
            origin_pts=self.origin_pts(0),
            timeless=bool(int(self.container.format.flags) & _NO_STAMPS),
        )

    @property
    def container_seconds(self) -> float | None:
        """Duration of the file to the microsecond; None: unknown.

        As ffprobe's `format.duration` of FFmpeg 4 to 6: MP4 and MOV state it themselves. Later
        versions take it from the tracks instead, which may differ by some hundredths.
        """
        if self._has_format("mov") and (stated := movie_seconds(self.path)):
            return stated
        microseconds: int | None = self.container.duration
        return None if microseconds is None else microseconds / 1_000_000

    def check_complete(self, packets: int) -> None:
        """Compare what was found with what the container promises, where it promises anything.

        MP4 and MOV list every frame; so does AVI behind the frames (loosely: one in a hundred may
        be missing; empty ones, which stand for the frame before, are not listed). AVI, Matroska
        and WebM say how long the file is. MPEG-TS, MPEG-PS, live WebM and fragmented MP4 promise
        nothing: there only a cut through a frame shows.

        Raises:
            ClipError: "corrupt" when something is missing.
        """
        if self._has_format("mov"):
            promised, tolerated = len(self.stream.index_entries), 0
        elif self._has_format("avi"):
            promised = len(self.stream.index_entries)
            tolerated = 1 + promised // 100
        else:
            promised, tolerated = 0, 0
        if packets < promised - tolerated:
            raise ClipError(
                "corrupt", f"{self.path}: {packets} of {promised} frames are there, file cut?"
            )
        # A cut through the index behind the last frame loses nothing.
        lacks_frames = packets < (self.stream.frames or packets + 1)
        if (self._has_format("matroska") and _is_cut_matroska(self.path)) or (
            self._has_format("avi") and lacks_frames and _is_cut_avi(self.path)
        ):
            raise ClipError("corrupt", f"{self.path}: the file is shorter than it says, cut?")

    @property
    def promises_length(self) -> bool:
        """Whether `check_complete` can notice that the end of the file is missing."""
        return any(self._has_format(name) for name in ("mov", "avi", "matroska"))

    @property
    def clock_jumps(self) -> bool:
        """Whether the format's clock may jump, as that of broadcasts: such files have no index."""
        return bool(int(self.container.format.flags) & _CLOCK_JUMPS)

    def _has_format(self, name: str) -> bool:
        return name in self.container.format.name.split(",")


def _is_cut_matroska(path: Path) -> bool:
    """Whether the file ends before its Segment does (EBML, RFC 8794; Matroska, RFC 9559)."""
    with path.open("rb") as file:
        head = file.read(4096)
    position = 0
    for _ in range(2):
        identifier = head[position : position + 4]
        position += 4
        if position >= len(head) or head[position] == 0:
            return False
        length = 9 - head[position].bit_length()
        size = int.from_bytes(head[position : position + length], "big") & ((1 << 7 * length) - 1)
        position += length
        if identifier == b"\x18\x53\x80\x67":
            unknown = size == (1 << 7 * length) - 1
            return not unknown and position + size > path.stat().st_size
        position += size
    return False


def _is_cut_avi(path: Path) -> bool:
    """Whether the file ends before its RIFF chunks do; a size of 0 or -1 was never written."""
    end, position = path.stat().st_size, 0
    with path.open("rb") as file:
        while position + 12 <= end:
            file.seek(position)
            head = file.read(8)
            size = int.from_bytes(head[4:], "little")
            if head[:4] != b"RIFF" or size in (0, 0xFFFFFFFF):
                return False
            position += 8 + size + size % 2
    return position > end + _RIFF_SLACK


def check_file(path: Path) -> None:
    """See that there is a file with something in it; a missing one is for whoever opens it.

    Raises:
        ClipError: "missing" (a folder), "refused" (a pipe, which may be silent for ever, a socket or a
            device) or "corrupt" (empty).
    """
    if path.is_dir():
        raise ClipError("missing", f"{path}: a folder, not a video file")
    if path.exists() and not path.is_file():
        raise ClipError("refused", f"{path}: a pipe, socket or device, not a video file")
    if path.exists() and path.stat().st_size == 0:
        raise ClipError("corrupt", f"{path}: the file is empty")


def check_size(path: Path, width: int, height: int, frame_pixels: int) -> None:
    """See that frames are not larger than a limit.

    Raises:
        ClipError: "refused".
    """
    if width * height > frame_pixels:
        raise ClipError(
            "refused",
            f"{path}: frames of {width}x{height} pixels; allowed: {frame_pixels} pixels",
        )


def _pixels(stream: av.VideoStream) -> int:
    is_default = bool(int(stream.disposition) & int(Disposition.default))
    return stream.width * stream.height + _DEFAULT_PIXELS * is_default


@contextlib.contextmanager
def open_source(path: Path | str, *, stream: StreamChoice = "first") -> Iterator[Source]:
    """Open a clip and close it again; see `Source` for what `stream` chooses.

    Raises:
        ClipError: "missing", "corrupt" or "no_video".
    """
    path = Path(path)
    check_file(path)
    forget()
    try:
        # Titles may be in any encoding; nobody reads them here.
        container = av.open(f"file:{path}", options=OPEN_OPTIONS, metadata_errors="replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ClipError("missing", f"{path}: no such file") from error
    except LIBAV_ERRORS as error:
        raise_clip_error(path, "corrupt", error)
    with container:
        try:
            source = Source(path, container, stream=stream)
        except LIBAV_ERRORS as error:
            raise_clip_error(path, "corrupt", error)
        yield source


@contextlib.contextmanager
def clip_errors(path: Path, failure: FailureClass) -> Iterator[None]:
    """Turn libav's errors about a clip into `ClipError`, as `raise_clip_error` does."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ClipError("missing", f"{path}: no such file") from error
    except (av.error.FFmpegError, MemoryError) as error:
        raise_clip_error(path, failure, error)


def raise_clip_error(path: Path, failure: FailureClass, error: Exception) -> NoReturn:
    """Raise the failure that an error of `LIBAV_ERRORS` is, by the rule of `blame_clip`.

    Raises:
        ClipError: "machine" where a file system vanished or memory was short, else `failure`.
        FFmpegError: what meets every clip stops the job.
    """
    # PyAV looks up what libav found in tables of its own; what is not there is the file's doing.
    blamed = blame_clip(ValueError() if isinstance(error, LookupError) else error, failure)
    if blamed is None:
        raise error
    raise ClipError(blamed.failure, f"{path}: {reason(error)}") from error
