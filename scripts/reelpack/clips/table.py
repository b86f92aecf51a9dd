"""Clip tables, the rows that decoding stages work from, and the probes of their videos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reelpack.core.results import digest
from reelpack.core.tables import Int32, Table
from reelpack.jobs.ledger import LedgerRow


@dataclass(frozen=True)
class Clip:
    """One sample: a video file and the window of it that is meant.

    Attributes:
        path: the file on disk.
        sha256: its checksum, which stands for its content in journal keys.
        start_seconds: first second of the window, None for the start of the file. Of a file that was
            cut it is 0 or less: the window began so long before the file's first frame.
        end_seconds: where the window ends, None for the end of the file. Of a file that was cut it is
            the asked end, in the file's own time: the window stays as long as it was asked for.
        record: its number, from 1, in a file that holds many clips.
        duration_seconds: measured length of a file that was cut, None for others.
    """

    clip_id: str
    path: str
    sha256: str
    start_seconds: float | None
    end_seconds: float | None
    record: int | None = None
    duration_seconds: float | None = None

    def key(self, result: str) -> str:
        """Return the journal key of this clip under a result string."""
        parts = (self.clip_id, self.sha256, self.start_seconds, self.end_seconds)
        return digest(result, *parts, *([] if self.record is None else [self.record]))


_CLIPS = Table(Clip)
read_clips = _CLIPS.read
write_clips = _CLIPS.write


def read_usable_clips(path: Path, rows: Iterable[LedgerRow]) -> list[Clip]:
    """Return the clips of a table that no earlier stage failed, in its order."""
    good = {row.clip_id for row in rows if row.ok}
    return [clip for clip in read_clips(path) if clip.clip_id in good]


@dataclass(frozen=True)
class Probe:
    """What is known of a clip's video without decoding it.

    Attributes:
        width: shown width in pixels, after rotation.
        height: shown height in pixels, after rotation.
        rotation: degrees clockwise that a player turns the stored frame.
        pictures: shown frames in the video stream.
        whole: the file is the longer video, although the dataset's files hold just their clips.
    """

    clip_id: str
    path: str
    sha256: str
    bytes: int
    codec: str
    width: Int32
    height: Int32
    rotation: Int32
    pictures: int
    duration_seconds: float
    has_audio: bool
    whole: bool = False


_PROBES = Table(Probe)
read_probes = _PROBES.read
write_probes = _PROBES.write
