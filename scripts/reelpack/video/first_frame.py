"""The first frame that a file gives, which alone tells how its frames are turned."""

from __future__ import annotations

import av

from reelpack.video.damage import no_frame
from reelpack.video.geometry import orientation
from reelpack.video.source import Packet, Source


class FirstFrame:
    """Decodes packets until the first frame comes out, which alone tells the rotation."""

    def __init__(self, source: Source) -> None:
        self._path = source.path
        self._decoding = source.decoding()
        self._frame: av.VideoFrame | None = None
        self._complaint: str | None = None

    def feed(self, packet: Packet | None) -> None:
        """Decode one more packet, None for the end."""
        if self._frame is not None:
            return
        # Damage is for the decoding proper to judge.
        frames = self._decoding.decode(packet)
        self._complaint = self._complaint or self._decoding.complaint
        self._frame = frames[0] if frames else None

    def size_and_rotation(self) -> tuple[int, int, int]:
        """Stored width and height in pixels, and degrees clockwise; once all packets were fed."""
        self.feed(None)
        if self._frame is None:
            raise no_frame(self._path, self._complaint)
        return self._frame.width, self._frame.height, orientation(self._frame)[0]
