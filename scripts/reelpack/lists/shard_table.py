"""The table of one shard: its clips, and where their videos are."""

from __future__ import annotations

from dataclasses import dataclass

from reelpack.core.results import digest
from reelpack.core.tables import Table


@dataclass(frozen=True)
class ShardRow:
    """One row of a shard table.

    Attributes:
        video: the clip's file below the dataset's video folder, as its list names it.
        path: where the file lies, or will lie once it is fetched.
        fingerprint: a digest of an own file, "" for files that are fetched.
        source_id: the video's id where it comes from, such as a YouTube id.
        url: its address.
        record: its number, from 1, in a file that holds many.
        whole: the file is the longer video that the clip was cut from.
    """

    clip_id: str
    video: str
    path: str
    start_seconds: float | None
    end_seconds: float | None
    label: int | None
    caption: str | None
    fingerprint: str
    label_name: str | None = None
    source_id: str | None = None
    url: str | None = None
    record: int | None = None
    whole: bool | None = None

    def key(self, result: str) -> str:
        """Return the journal key: the video as it was when the list was made."""
        return digest(result, self.clip_id, self.path, self.fingerprint)


SHARD_TABLE = Table(ShardRow)
read_shard = SHARD_TABLE.read
