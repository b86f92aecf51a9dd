"""What counts as damage: the one place that judges what libav says about a file and its frames.

Everything that libav complains about, at its error level, is damage, but for the few lines of
`_HARMLESS` and for what comes before the first frame that can be decoded. See docs/decoding.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.error

from reelpack.core.errors import ClipError
from reelpack.video.bitstream import Traits, inspector, knows_entries
from reelpack.video.clock import Packet
from reelpack.video.libav_log import Line, new_lines

# What PyAV raises when libav fails, or when it meets something that it does not know.
LIBAV_ERRORS = (av.error.FFmpegError, ValueError, LookupError, ArithmeticError, MemoryError)
# A last packet as short as this holds no frame: some encoders end in one.
_SCRAP_BYTES = 16
# Side messages and bookkeeping: every frame is whole.
_HARMLESS = re.compile(
    r"\bSEI\b"
    # References that were to be let go had gone before: a join, or a start in mid-stream.
    r"|mmco: unref short failure"
    # Descriptions beside the pixels.
    r"|unable to decode APP fields|\b(EXIF|Exif|ICC|XMP|VUI)\b"
)
# Those who read packets or set sizes for decoders; what they find, the decoder finds again.
HELPERS = frozenset({"NULL", "IMGUTILS", "AVBSFContext"})


def forget() -> None:
    """Drop what libav said until now: it was about something else."""
    new_lines()


def complaint_of_file() -> str | None:
    """What libav complained about while it read a file, since the last call; None for nothing.

    Lines of decoders do not count: they look into packets early, and see them again in decoding.
    """
    lines = new_lines()
    if not lines:
        return None
    return find_harmful(
        line
        for line in lines
        if line.writer not in HELPERS and line.writer not in av.codecs_available
    )


def complaint_of_decoder() -> str | None:
    """What libav complained about while it decoded, since the last call; None for nothing."""
    lines = new_lines()
    return find_harmful(lines) if lines else None


def find_harmful(lines: Iterable[Line]) -> str | None:
    """The first line that tells of damage; None where all are harmless."""
    return next((line.text for line in lines if not _HARMLESS.search(line.text)), None)


def reason(error: Exception) -> str:
    """What an error of `LIBAV_ERRORS` says, without the call that PyAV names."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def damage_at(path: Path, seconds: float | None, what: str) -> ClipError:
    """The failure of a clip whose file reads well but whose frames do not decode."""
    place = "" if seconds is None else f" at {seconds:.2f} s"
    return ClipError("decode", f"{path}: damaged{place}: libav says: {what}")


def no_frame(path: Path, complaint: str | None) -> ClipError:
    """The failure of a clip none of whose frames decode."""
    said = f": libav says: {complaint}" if complaint else ""
    return ClipError("decode", f"{path}: no frame could be decoded{said}")


class Decoding:
    """One run of a decoder, each step of which is judged.

    Args:
        decoder: with one thread; the caller empties it.
    """

    def __init__(self, decoder: av.VideoCodecContext) -> None:
        self._decoder = decoder
        self.complaint: str | None = None

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Feed one packet, None for the end; `complaint` then says what is wrong with it."""
        new_lines()
        self.complaint = None
        try:
            frames = self._decoder.decode(packet)
        except LIBAV_ERRORS as error:
            self.complaint = complaint_of_decoder() or reason(error)
            return []
        self.complaint = complaint_of_decoder()
        if self.complaint is None and any(frame.is_corrupt for frame in frames):
            self.complaint = "the frame is corrupt"
        return frames


class Judge:
    """Tells damage from the lead-in of a stream that begins in mid-stream.

    A clip starts at its first decodable frame. What cannot be decoded before it is no damage, as
    long as no packet has come from which decoding may start; all that comes later is.

    Args:
        origin_pts: the tick from which the seconds in messages count.
        promises_length: the container would tell if something were missing behind a last packet
            that holds no frame.
        promised_entry: the stamp (of either kind) of a packet from which decoding may start, as the
            container says; None: it says nothing.
    """

    def __init__(
        self,
        path: Path,
        codec: av.VideoCodecContext,
        *,
        time_base: Fraction,
        origin_pts: int,
        promises_length: bool,
        promised_entry: int | None,
    ) -> None:
        name = codec.codec.canonical_name
        self._path, self._time_base, self._origin_pts = path, time_base, origin_pts
        self._inspect = inspector(name, codec.extradata) if knows_entries(name) else None
        self._promises_length = promises_length
        self._entered: int | None = None
        self._first_key: Packet | None = None
        self._promised_entry = promised_entry
        self._at_start = True
        self._started = False
        self._pending: list[tuple[Packet | None, str]] = []
        self._scrap: ClipError | None = None
        self._last: str | None = None

    def see(
        self, packet: Packet | None, frames: list[av.VideoFrame], complaint: str | None
    ) -> None:
        """Judge one step of the decoder.

        Raises:
            ClipError: "decode".
        """
        if self._scrap is not None and packet is not None:
            raise self._scrap
        if not self._started:
            self._lead_in(packet, frames, complaint)
        elif complaint is not None:
            self._blame(packet, complaint, came=bool(frames))

    def end(self) -> None:
        """See that there was a frame at all.

        Raises:
            ClipError: "decode".
        """
        if not self._started:
            raise no_frame(self._path, self._last)

    def _lead_in(
        self, packet: Packet | None, frames: list[av.VideoFrame], complaint: str | None
    ) -> None:
        stamp = None if packet is None else packet.pts
        if packet is not None:
            promised = self._at_start and self._is_promised(packet)
            self._at_start = False
            entry = self._is_entry(packet)
            # H.264 may begin with recovery over several frames (intra refresh), the first not given.
            if promised and not packet.is_discard and (entry or not packet.is_keyframe):
                self._first_key = packet
            if self._entered is None and (promised or entry):
                self._entered = -(1 << 63) if stamp is None else stamp
        if complaint is not None:
            self._last = self._last or complaint
            after = self._entered is not None and (stamp is None or stamp >= self._entered)
            if after:
                self._blame(packet, complaint, came=bool(frames))
            else:
                self._pending.append((packet, complaint))
        if frames:
            self._started = True
            first = frames[0].pts
            key = None if self._first_key is None else self._first_key.pts
            if key is not None and first is not None and key < first:
                self._blame(self._first_key, "the first keyframe gives no frame", came=True)
            for early, text in self._pending:
                if early is None or (
                    early.pts is not None and first is not None and early.pts >= first
                ):
                    self._blame(early, text, came=True)

    def _is_promised(self, packet: Packet) -> bool:
        promised = self._promised_entry
        return promised is not None and promised in (packet.pts, packet.dts)

    def _is_entry(self, packet: Packet) -> bool:
        if self._inspect is None:
            return bool(packet.is_keyframe)
        return bool(self._inspect(memoryview(packet), packet.is_keyframe) & Traits.ENTRY)

    def _blame(self, packet: Packet | None, complaint: str, *, came: bool) -> None:
        stamp = None if packet is None else _stamp(packet)
        seconds = None
        if stamp is not None:
            seconds = float((stamp - self._origin_pts) * self._time_base)
        error = damage_at(self._path, seconds, complaint)
        if (
            packet is not None
            and not came
            and self._started
            and self._promises_length
            and packet.size <= _SCRAP_BYTES
        ):
            self._scrap = error
            return
        raise error


def _stamp(packet: Packet) -> int | None:
    stamp: int | None = packet.pts if packet.pts is not None else packet.dts
    return stamp
