"""Clip tables: the rows that decoding stages work from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reelpack.core.files import reading
from reelpack.core.results import digest
from reelpack.core.tables import write_table

COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
        ("record", pa.int64()),
        ("duration_seconds", pa.float64()),
    ]
)


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


def write_clips(clips: Iterable[Clip], target: Path) -> None:
    """Write a clip table, whole or not at all."""
    frame = pd.DataFrame([asdict(clip) for clip in clips], columns=COLUMNS.names)
    write_table(frame, COLUMNS, target)


def read_clips(path: Path) -> list[Clip]:
    """Read a clip table in its order."""
    with reading(path):
        return [Clip(**row) for row in pq.read_table(path).to_pylist()]


@dataclass(frozen=True)
class Probe:
    """What is known of a clip's video without decoding it.

    Attributes:
        width: shown width in pixels, after rotation.
        height: shown height in pixels, after rotation.
        rotation: degrees clockwise that a player turns the stored frame.
        frames: shown frames in the video stream.
        whole: the file is the longer video, although the dataset's files hold just their clips.
    """

    clip_id: str
    path: str
    sha256: str
    bytes: int
    codec: str
    width: int
    height: int
    rotation: int
    pictures: int
    duration_seconds: float
    has_audio: bool
    whole: bool = False


PROBE_COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("codec", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("rotation", pa.int32()),
        ("pictures", pa.int64()),
        ("duration_seconds", pa.float64()),
        ("has_audio", pa.bool_()),
        ("whole", pa.bool_()),
    ]
)


def read_probes(path: Path) -> list[Probe]:
    """Read the probes of a shard in list order."""
    with reading(path):
        return [Probe(**row) for row in pq.read_table(path).to_pylist()]
