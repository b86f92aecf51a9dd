"""extract_audio: the sound of every clip as an mp3 file, 32 kHz and one channel.

Flows in: a clip table, and perhaps a folder of mp3 files. Flows out: a shard like those of frames, with one
member `{clip_id}/000000.mp3` per clip.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container.core import Flags
from av.stream import Disposition
from numpy.typing import NDArray

from reelpack.clips.table import Clip
from reelpack.core.errors import ClipError
from reelpack.core.files import replace_file
from reelpack.frames.shard import ClipWriter, join_clips, split_shard
from reelpack.jobs.stage import Stage, Task
from reelpack.video.source import OPEN_OPTIONS, clip_errors

RATE_HZ = 32_000
# libmp3lame's own choice for one channel; AudioSet-like data sets are kept at no more.
BITS_PER_SECOND = 128_000


@dataclass(frozen=True)
class AudioSettings:
    """Where the sound comes from.

    Attributes:
        folder: holds `{last part of the clip id}.mp3`; None takes the clip's own track.
        track: which of its audio tracks, from 0; None takes the one that the ffmpeg program takes.
    """

    folder: Path | None
    track: int | None = None

    @classmethod
    def of(cls, audio: Mapping[str, Any]) -> AudioSettings:
        """Read a recipe's `audio` mapping."""
        return cls(Path(audio["folder"]) if "folder" in audio else None, audio.get("track"))


def extract_sound(task: Task) -> None:
    """Write one clip's sound into its clip file.

    Raises:
        ClipError: "no_audio" when there is no sound in the clip, "missing" when the folder lacks its
            file, "corrupt" or "decode".
    """
    clip: Clip = task.item
    settings: AudioSettings = task.settings
    if settings.folder is None and clip.record is not None:
        raise ClipError("no_audio", f"{clip.path}: records hold no sound")
    if settings.folder is None:
        data = encode_mp3(
            Path(clip.path),
            track=settings.track,
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
        )
    else:
        data = _from_folder(settings.folder, clip)
    with replace_file(task.target) as temporary, ClipWriter(temporary, clip.clip_id) as writer:
        writer.add(data, pts_seconds=0.0, ending="mp3")


EXTRACT_AUDIO = Stage(
    "extract_audio", extract_sound, split_shard, join_clips, ("reelpack.frames.audio",)
)


def _from_folder(folder: Path, clip: Clip) -> bytes:
    path = folder / f"{clip.clip_id.rpartition('/')[2]}.mp3"
    window = clip.start_seconds is not None or clip.end_seconds is not None
    if not window and _is_ready(path):
        return path.read_bytes()
    print(f"{path}: encoded anew to mp3 of {RATE_HZ} Hz and one channel", flush=True)
    return encode_mp3(path, start_seconds=clip.start_seconds, end_seconds=clip.end_seconds)


def _is_ready(path: Path) -> bool:
    """Whether a file is an mp3 that readers which neither resample nor mix can take."""
    with (
        clip_errors(path, "corrupt"),
        av.open(f"file:{path}", options=OPEN_OPTIONS, metadata_errors="replace") as container,
    ):
        tracks = container.streams.audio
        if container.format.name != "mp3" or not tracks:
            return False
        return bool(tracks[0].rate == RATE_HZ and tracks[0].channels == 1)


def encode_mp3(
    path: Path,
    *,
    track: int | None = None,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> bytes:
    """Return the sound of a file as an mp3 file of 32 kHz and one channel, made by LAME.

    A window is cut to the sample; its seconds count from the start of the file. Where the sound begins
    later than the window, silence fills the gap, so that it stays with the frames.

    Raises:
        ClipError: "no_audio", "missing", "corrupt" or "decode".
    """
    output = io.BytesIO()
    # No tag: it would name the library's version and nothing else.
    options = {"id3v2_version": "0"}
    with av.open(output, "w", format="mp3", options=options) as target:
        target.flags |= int(Flags.bitexact.value)  # type: ignore[call-overload]
        stream = target.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        stream.bit_rate = BITS_PER_SECOND
        count = 0
        for frame in _read_samples(path, track, start_seconds or 0.0, end_seconds):
            frame.pts = count
            count += frame.samples
            target.mux(stream.encode(frame))
        if not count:
            raise ClipError("no_audio", f"{path}: no sound in the clip")
        target.mux(stream.encode(None))
    return output.getvalue()


def _read_samples(
    path: Path, track: int | None, start: float, end: float | None
) -> Iterator[av.AudioFrame]:
    """Yield the window's samples at the wanted rate, float32, one channel."""
    first = max(0, round(start * RATE_HZ))
    last = None if end is None else round(end * RATE_HZ)
    place: int | None = None
    for frame, seconds in _resample(path, track):
        samples = np.asarray(frame.to_ndarray(), np.float32)
        if place is None:
            place = round(seconds * RATE_HZ)
            silence = min(place, place if last is None else last) - first
            if silence > 0:
                yield _build_frame(np.zeros((1, silence), np.float32))
        kept = samples[:, max(0, first - place) : None if last is None else max(0, last - place)]
        place += samples.shape[1]
        if kept.shape[1]:
            yield _build_frame(kept)


def _choose_track(
    path: Path, tracks: Sequence[av.AudioStream], number: int | None
) -> av.AudioStream:
    """Return the track of this number, or the one that the ffmpeg program takes by itself.

    That is one of the default ones if there are such, of these the one with the most channels, and of
    those the first. Source: ffmpeg program, fftools/ffmpeg_mux_init.c (map_auto_audio).

    Raises:
        ClipError: "no_audio".
    """
    if not tracks:
        raise ClipError("no_audio", f"{path}: the file has no audio track")
    if number is None:
        return max(tracks, key=_rank)
    if number >= len(tracks):
        raise ClipError(
            "no_audio", f"{path}: no audio track {number}; the file has {len(tracks)}, from 0"
        )
    return tracks[number]


def _rank(track: av.AudioStream) -> tuple[bool, int]:
    is_default = bool(int(track.disposition) & int(Disposition.default))
    # Tracks without a decoder tell nothing.
    return is_default, getattr(track.codec_context, "channels", 0)


def _build_frame(samples: NDArray[np.float32]) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="mono")
    frame.rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
    return frame


def _resample(path: Path, number: int | None) -> Iterator[tuple[av.AudioFrame, float]]:
    """Yield a track's frames at the wanted rate, and the second at which the first begins."""
    with (
        clip_errors(path, "corrupt"),
        av.open(f"file:{path}", options=OPEN_OPTIONS, metadata_errors="replace") as container,
    ):
        track = _choose_track(path, container.streams.audio, number)
        origin = (container.start_time or 0) / 1_000_000
        # Channels are averaged: libswresample's own sum of floats would clip loud stereo.
        options = {"rematrix_maxval": "1.0"}
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE_HZ, options=options)
        begin: float | None = None
        with clip_errors(path, "decode"):
            for decoded in container.decode(track):
                assert isinstance(decoded, av.AudioFrame)
                if begin is None:
                    begin = 0.0 if decoded.time is None else decoded.time - origin
                for frame in resampler.resample(decoded):
                    yield frame, begin
            if begin is not None:
                for frame in resampler.resample(None):
                    yield frame, begin
