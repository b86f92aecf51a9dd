"""What a process keeps of the videos that it read: their indexes, and the last file, open.

Windows of one file follow one another. Its packets are indexed once; each window then seeks to the
keyframe before it, and a window behind the last one reads on.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from reelpack.core.state import file_state
from reelpack.video.index import VideoIndex
from reelpack.video.reader import PacketReader, ReadPacket
from reelpack.video.source import Packet, Source, StreamChoice, open_source

# Indexes are kept up to this size; the last one always is.
INDEX_BYTES = 64 << 20
# An index's arrays, and what is computed from them.
_INDEX_BYTES_PER_PACKET = 80
# What Python and libav keep of a packet besides its content.
_PACKET_BYTES = 1 << 10


@dataclass(frozen=True)
class FileKey:
    """A video stream of a file as the file is now."""

    path: Path
    state: tuple[int, int]
    stream: StreamChoice

    @classmethod
    def of(cls, path: Path, stream: StreamChoice) -> FileKey | None:
        """Return the key of a file, None where there is none."""
        try:
            return cls(path, file_state(path), stream)
        except (OSError, ValueError):
            return None


class KeptIndexes:
    """Indexes of the files that were read last."""

    def __init__(self) -> None:
        self._found: OrderedDict[FileKey, VideoIndex] = OrderedDict()

    def get(self, key: FileKey | None) -> VideoIndex | None:
        """Return the index of a file, None where it is not kept."""
        if key is None or key not in self._found:
            return None
        self._found.move_to_end(key)
        return self._found[key]

    def put(self, key: FileKey | None, index: VideoIndex) -> None:
        """Keep an index; the oldest ones make room."""
        if key is None:
            return
        self._found[key] = index
        packets = sum(len(each.packet_pts) for each in self._found.values())
        while packets * _INDEX_BYTES_PER_PACKET > INDEX_BYTES and len(self._found) > 1:
            _, dropped = self._found.popitem(last=False)
            packets -= len(dropped.packet_pts)


class KeptPackets:
    """The packets of a clip while they are small enough to hold.

    Args:
        limit_bytes: of memory, not of content: small packets take a kilobyte.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.packets: list[Packet] | None = []
        self._room = limit_bytes

    def append(self, packet: Packet) -> None:
        """Hold one more packet, or let all of them go."""
        if self.packets is None:
            return
        self.packets.append(packet)
        self._room -= packet.size + _PACKET_BYTES
        if self._room < 0:
            self.packets = None


# By what the packets say, and by what the decoder gave.
INDEXED, DECODED = KeptIndexes(), KeptIndexes()


class Video:
    """An open file and what is known of it; closed at the end of `with` unless left open.

    Args:
        source: nobody else reads it.
        position: of the packet that `source` gives next, None where nobody knows.

    Attributes:
        index: None where it is still to be read.
    """

    def __init__(
        self,
        key: FileKey | None,
        source: Source,
        closer: contextlib.ExitStack,
        *,
        position: int | None = 0,
    ) -> None:
        self.key, self.source = key, source
        self.index = INDEXED.get(key)
        self._closer, self._position = closer, position
        self._packets: list[Packet] | None = None
        self._reader: PacketReader | None = None

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._closer.close()

    def learn(self, index: VideoIndex, packets: list[Packet] | None) -> None:
        """Keep an index for which all of the file was read, and its packets where they are held."""
        INDEXED.put(self.key, index)
        self._packets, self._position = packets, None

    def reader(self, index: VideoIndex) -> ReadPacket:
        """Return what gives packets by their places, which may only rise."""
        if self._packets is not None:
            return self._packets.__getitem__
        seeks = self.key not in _UNSOUGHT
        if not seeks and self._position != 0 and self.key is not None:
            self._closer.close()
            self.source = self._closer.enter_context(
                open_source(self.key.path, stream=self.key.stream)
            )
            self._position = 0
        self._reader = PacketReader(self.source, index, position=self._position, seeks=seeks)
        return self._reader.read

    def forbid_seeking(self) -> bool:
        """Have the file be read from its start from now on; False where that was so already."""
        if self.key is None or self._reader is None or not self._reader.has_sought:
            return False
        _UNSOUGHT.add(self.key)
        return True

    def leave_open(self) -> None:
        """Leave the file open for the next window of it."""
        self._position = None if self._reader is None else self._reader.position
        _LAST.append(Video(self.key, self.source, self._closer.pop_all(), position=self._position))


# Files that seeking finds wrong places in, and at most one that was left open.
_UNSOUGHT: set[FileKey] = set()
_LAST: list[Video] = []


def open_video(path: Path, stream: StreamChoice) -> Video:
    """Open a file, or go on with it where it was left open; one that nobody goes on with is closed.

    Raises:
        ClipError: as `open_source` does.
    """
    key = FileKey.of(path, stream)
    while _LAST:
        last = _LAST.pop()
        if last.key == key and key is not None and key not in _UNSOUGHT:
            return last
        with last:
            pass
    closer = contextlib.ExitStack()
    return Video(key, closer.enter_context(open_source(path, stream=stream)), closer)
