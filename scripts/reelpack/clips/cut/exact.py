"""Cut by encoding the window's frames anew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np

from reelpack.clips.cut.mp4 import choose_timescale, open_mp4, write_packets
from reelpack.clips.cut.sound import open_sound
from reelpack.clips.cut.window import AskedFrames, read_packet_index
from reelpack.clips.cut.x264 import X264Track
from reelpack.video.decoder import MismatchError, all_frames, planned_frames
from reelpack.video.plan import plan
from reelpack.video.reader import PacketReader
from reelpack.video.source import Packet, Source, clip_errors, open_source

Frames: TypeAlias = Iterator[tuple[int, av.VideoFrame]]


def encode_window(
    path: Path,
    target: Path,
    *,
    start_seconds: float | None,
    end_seconds: float | None,
    comment: str,
) -> AskedFrames:
    """Write the frames and the sound of a window as an mp4 file; return what was asked for.

    The frames are those that `decode_frames` takes for the window. Only what they need is
    decoded, or everything where the index cannot be trusted.

    Raises:
        ClipError: too_short, trim, and what decoding raises.
    """
    try:
        index, _ = read_packet_index(path)
        if not index.plannable:
            raise MismatchError(index.unplannable)
        asked = AskedFrames.of_index(index, start_seconds, end_seconds)
        with open_source(path) as source:
            chosen = np.arange(asked.window.begin, asked.window.stop, dtype=np.int64)
            reader = PacketReader(source, index, position=0)
            frames: Frames = planned_frames(source, reader.read, index, plan(index, chosen))
            _write(source, target, asked, frames, comment)
    except MismatchError:
        asked = AskedFrames.of_frames(path, start_seconds, end_seconds)
        every = ((stamp, frame) for stamp, _, frame in all_frames(path))
        frames = itertools.islice(every, asked.window.begin, asked.window.stop)
        with open_source(path) as source:
            _write(source, target, asked, frames, comment)
    return asked


def _write(source: Source, target: Path, asked: AskedFrames, frames: Frames, comment: str) -> None:
    first = next(frames, None)
    if first is None:
        raise MismatchError("the first frame did not come out")
    usual = asked.usual_duration
    lengths = dict(zip(asked.pts.tolist(), asked.durations.tolist(), strict=True))
    with (
        open_sound(source.path, asked) as sound,
        clip_errors(source.path, "trim"),
        open_mp4(target, scale=choose_timescale(asked.time_base), comment=comment) as output,
    ):
        encoder = X264Track(
            output,
            source,
            first[1],
            rate=1 / (usual * asked.time_base),
            # A track's lengths follow the order of decoding: they are those of display at a steady
            # rate only.
            reorder=bool((asked.durations == usual).all()),
        )

        def video() -> Iterator[Packet]:
            moved = (
                (stamp - asked.first, frame) for stamp, frame in itertools.chain([first], frames)
            )
            for packet in encoder.packets(moved):
                packet.duration = lengths[(packet.pts or 0) + asked.first]
                yield packet

        sounds = [] if sound is None else [sound.add_to(output)]
        write_packets(output, video(), *sounds)
