"""Packets of an indexed stream by their positions: read on where they are near, sought where not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from reelpack.core.errors import ClipError
from reelpack.video.damage import LIBAV_ERRORS
from reelpack.video.index import VideoIndex
from reelpack.video.source import Packet, Source

ReadPacket = Callable[[int], Packet]
# Fewer packets than this are read over, since a seek throws away what was read ahead.
_READ_OVER = 50
# Containers that seek by decode stamps may land behind a keyframe: then once more, from before it.
_BACK_SECONDS = (0, 1)


class MismatchError(Exception):
    """The file's packets, or the decoder's frames, are not those that the index promised."""


class PacketReader:
    """Reads packets of a file whose index is plannable, and compares each with the index.

    Args:
        position: of the packet that `source` gives next, None where nobody knows.
        seeks: whether the file may be sought; if not, its position must be known.

    Attributes:
        position: as above, after what was read.
        has_sought: whether what was read depends on the container's own index.
    """

    def __init__(
        self, source: Source, index: VideoIndex, *, position: int | None, seeks: bool = True
    ) -> None:
        self.position = position
        self.has_sought = position != 0
        self._source, self._index, self._seeks = source, index, seeks
        self._packets: Iterator[Packet] = source.packets(mend=False)

    def read(self, position: int) -> Packet:
        """Return a packet by its place in decode order.

        Raises:
            MismatchError: the file is not the one of the index, or is sought wrongly.
            ClipError: "corrupt" when libav complains about the file.
        """
        ahead = -1 if self.position is None else position - self.position
        if ahead < 0 or (self._seeks and ahead > _READ_OVER):
            self._seek(position)
        while True:
            packet, place = self._next()
            if place == position:
                return packet

    def _next(self) -> tuple[Packet, int]:
        try:
            packet = next(self._packets, None)
        except ClipError as error:
            # It was not damaged when it was read from the start.
            if self.has_sought:
                raise MismatchError(error.message) from error
            raise
        place, index = self.position, self._index
        if (
            packet is None
            or place is None
            or place >= len(index.packet_pts)
            or packet.pts != index.packet_pts[place]
            or packet.is_discard == index.packet_shown[place]
            or (index.packet_sizes is not None and packet.size != index.packet_sizes[place])
        ):
            raise MismatchError("the packets are not those of the index")
        self.position = place + 1
        return packet, place

    def _seek(self, position: int) -> None:
        self.has_sought = True
        stamp = int(self._index.packet_pts[position])
        for back_seconds in _BACK_SECONDS:
            self.position = None
            try:
                self._source.seek(stamp - int(back_seconds / self._index.time_base))
            except LIBAV_ERRORS as error:
                raise MismatchError("the file cannot be sought") from error
            packets = self._source.packets(mend=False)
            try:
                first = next(packets, None)
            except ClipError as error:
                raise MismatchError(error.message) from error
            place = None if first is None else self._index.find_packet(first.pts)
            if first is not None and place is not None and place <= position:
                self._packets, self.position = itertools.chain([first], packets), place
                return
        raise MismatchError("the file is sought wrongly")
