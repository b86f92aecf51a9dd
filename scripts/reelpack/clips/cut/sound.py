"""The sound of a window: its packets as they are where mp4 can hold them, AAC elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.stream import Discard

from reelpack.clips.cut.window import AskedFrames
from reelpack.core.errors import ClipError
from reelpack.video.source import Packet, clip_errors, open_source

Samples = npt.NDArray[np.float32]

# What players of mp4 files know; it may hold others, such as PCM and Vorbis.
_COPIED_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"})
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1(wide)"})
_BLOCK = 1024
# Decoders of sound need the packet before; players start an mp4 track at its edit, behind it.
_LEAD_SECONDS = Fraction(1, 4)
# Where a seek lands inside a packet, what follows is read as packets that are none.
_TORN_BY_SEEKS = "mpeg"


@contextlib.contextmanager
def open_sound(path: Path, asked: AskedFrames) -> Iterator[Sound | None]:
    """Open the best sound track of a video in a window, None where it has none.

    Raises:
        ClipError: trim, for a codec that nobody knows.
    """
    if not asked.has_audio:
        yield None
        return
    with open_source(path) as source:
        stream = source.container.streams.best("audio")
        if not isinstance(stream, av.AudioStream) or not stream.time_base:
            yield None
            return
        if stream.codec_context is None:
            raise ClipError(
                "trim", f"{path}: no decoder for its sound track; allowed: trim: virtual"
            )
        for other in source.container.streams:
            other.discard = Discard.default if other.index == stream.index else Discard.all
        yield Sound(path, source.container, stream, asked.begin_seconds, asked.end_seconds)


@dataclass(frozen=True)
class Sound:
    """A sound track and a window in it, in seconds of the file's own count."""

    path: Path
    container: av.container.InputContainer
    stream: av.AudioStream
    begin: Fraction
    end: Fraction

    def add_to(self, output: av.container.OutputContainer) -> Iterator[Packet]:
        """Add a track to `output`, its header not yet written, and return its packets.

        Times count from the window's begin. Copied packets overlap its ends by less than one
        packet; those before 0 are hidden by the track's edit. No track where there is no sound.
        """
        packets = self._read_packets()
        first = next(packets, None)
        if first is None:
            return iter(())
        packets = itertools.chain([first], packets)
        if self.stream.codec_context.codec.canonical_name in _COPIED_CODECS:
            return self._copy(output.add_stream_from_template(self.stream, opaque=True), packets)
        return self._encode(output, packets)

    def _read_packets(self) -> Iterator[Packet]:
        """Packets that overlap the window, and what leads in."""
        base = Fraction(self.stream.time_base or 1)
        begin = self.begin - _LEAD_SECONDS
        for packet in self._demux(begin, base):
            if packet.pts is None or not packet.size:
                continue
            seconds = packet.pts * base
            if seconds >= self.end:
                return
            if seconds + (packet.duration or 0) * base > begin:
                yield packet

    def _demux(self, begin: Fraction, base: Fraction) -> Iterator[Packet]:
        """Packets of the track from somewhere at or before `begin` on."""
        container, stream = self.container, self.stream
        with clip_errors(self.path, "corrupt"):
            if begin > 0 and container.format.name != _TORN_BY_SEEKS:
                container.seek(math.floor(begin / base), stream=stream)
                first = next(container.demux(stream), None)
                if first is not None and first.pts is not None and first.pts * base <= begin:
                    yield first
                else:
                    # Files without an index may be read from the start only.
                    container.seek(0)
            yield from container.demux(stream)

    def _copy(self, track: av.AudioStream, packets: Iterator[Packet]) -> Iterator[Packet]:
        origin: int | None = None
        for packet in packets:
            if origin is None:
                origin = round(self.begin / packet.time_base)
            packet.pts = (packet.pts or 0) - origin
            packet.dts = packet.pts
            packet.stream = track
            yield packet

    def _encode(
        self, output: av.container.OutputContainer, packets: Iterator[Packet]
    ) -> Iterator[Packet]:
        wanted = self.stream.codec_context.sample_rate
        rate = next((known for known in _AAC_RATES if known <= wanted), _AAC_RATES[-1])
        name = self.stream.codec_context.layout.name
        layout = name if name in _AAC_LAYOUTS else "stereo"
        track = output.add_stream("aac", rate=rate, layout=layout)
        return self._encode_aac(track, packets, rate, layout)

    def _encode_aac(
        self, track: av.AudioStream, packets: Iterator[Packet], rate: int, layout: str
    ) -> Iterator[Packet]:
        context = track.codec_context
        for number, block in enumerate(self._cut_blocks(packets, rate, layout)):
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = number * _BLOCK
            yield from _move_to(track, context.encode(frame))
        yield from _move_to(track, context.encode(None))

    def _cut_blocks(self, packets: Iterator[Packet], rate: int, layout: str) -> Iterator[Samples]:
        """The window's samples, `float32[channels, 1024]` each, the last one perhaps shorter."""
        total = math.ceil((self.end - self.begin) * rate)
        kept: Samples | None = None
        done = 0
        for place, samples in self._decode(packets, rate, layout):
            # Silence where the sound begins late or pauses, nothing twice.
            have = done + (0 if kept is None else kept.shape[1])
            if place > have:
                samples = np.pad(samples, ((0, 0), (place - have, 0)))
            else:
                samples = samples[:, have - place :]
            samples = samples[:, : total - have]
            kept = samples if kept is None else np.concatenate([kept, samples], axis=1)
            while kept.shape[1] >= _BLOCK:
                yield np.ascontiguousarray(kept[:, :_BLOCK])
                kept, done = kept[:, _BLOCK:], done + _BLOCK
        if kept is not None and kept.shape[1]:
            yield np.ascontiguousarray(kept)

    def _decode(
        self, packets: Iterator[Packet], rate: int, layout: str
    ) -> Iterator[tuple[int, Samples]]:
        """Place behind the window's start, in samples, and `float32[channels, n]`."""
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        decoder = self.stream.codec_context
        with clip_errors(self.path, "decode"):
            for packet in itertools.chain(packets, [None]):
                for frame in decoder.decode(packet):
                    for part in resampler.resample(frame):
                        yield self._place(part, rate)
            for part in resampler.resample(None):
                yield self._place(part, rate)

    def _place(self, frame: av.AudioFrame, rate: int) -> tuple[int, Samples]:
        seconds = (frame.pts or 0) * Fraction(frame.time_base or 1)
        return round((seconds - self.begin) * rate), frame.to_ndarray().astype(np.float32)


def _move_to(track: av.AudioStream, packets: list[Packet]) -> Iterator[Packet]:
    for packet in packets:
        packet.stream = track
        yield packet
