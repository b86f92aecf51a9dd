"""A frame shard read from front to back, clip by clip, however many clips and frames it has.

Flows in: a frame shard, see `shard`. Flows out: one `FrameSequence` per clip.
"""

from __future__ import annotations

import copy
import hashlib
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reelpack.core.files import reading
from reelpack.frames.shard import END, INDEX, check_end, name_image
from reelpack.images.files import FrameSequence, ImageKind, decode_picture, encode_picture

_BLOCK = 1 << 20
_ENDINGS = ("png", "jpg", "webp", "mp3")


class ClipFrames(FrameSequence):
    """The frames of one clip inside a shard, which stays open as long as this object lives."""

    def __init__(self, path: Path, clip_id: str, start: int) -> None:
        """Find the members of the clip that begins at `start`.

        Raises:
            DamagedError: another clip begins there, or the file is damaged.
        """
        self.path = path
        self.start = start
        self._places: list[tuple[int, int]] = []
        self._kinds: set[str] = set()
        self._stream = path.open("rb")
        with reading(path):
            self._stream.seek(start)
            tar = tarfile.TarFile(fileobj=self._stream, mode="r")
            stems: list[str] = []
            while (member := tar.next()) is not None and member.name != f"{clip_id}/{INDEX}":
                name, _, kind = member.name.rpartition(".")
                folder, _, stem = name.rpartition("/")
                if folder != clip_id or kind not in _ENDINGS:
                    raise ValueError(f"{member.name} instead of a frame of {clip_id}")
                stems.append(stem)
                self._kinds.add(kind)
                self._places.append((member.offset_data, member.size))
                tar.members.clear()  # type: ignore[attr-defined]
            if member is None:
                raise EOFError(f"it lacks {clip_id}")
            self.end = tar.offset
            self._index: dict[str, Any] = json.loads(self._read(member.offset_data, member.size))
            sets = self._count_sets()
            wanted = [
                name_image(number, each, sets)
                for number in range(len(self.pts_seconds))
                for each in range(sets)
            ]
            if stems != wanted:
                raise ValueError(f"{clip_id} lacks frames")

    @property
    def pts_seconds(self) -> Sequence[float]:
        """Time stamps in seconds, one per frame."""
        stamps: list[float] = self._index["pts_seconds"]
        return stamps

    @property
    def made_as(self) -> tuple[ImageKind, int] | None:
        """Kind and quality of image file that encode_images made."""
        made = self._index.get("made_as")
        return None if made is None else tuple(made)

    def crop_sets(self) -> list[ClipFrames]:
        """Return the frames of each crop set that the shard holds."""
        sets = self._count_sets()
        found = [copy.copy(self) for _ in range(sets)]
        for number, frames in enumerate(found):
            frames._places = self._places[number::sets]
        return found

    def _count_sets(self) -> int:
        return int(self._index.get("crop_sets", 1))

    @property
    def stored_bytes(self) -> int:
        """Size of all frames as the shard keeps them."""
        return sum(size for _, size in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def png(self, number: int) -> bytes:
        """Return one frame as a PNG file, made anew where the shard keeps another kind."""
        data = self.file(number)
        return data if self._kinds == {"png"} else encode_picture(decode_picture(data), image="png")

    def file(self, number: int) -> bytes:
        """Return one frame as the shard holds it."""
        with reading(self.path):
            return self._read(*self._places[number])

    def sha256(self) -> str:
        """Return the digest of the clip's members, which its ledger row holds."""
        digest = hashlib.sha256()
        self._stream.seek(self.start)
        left = self.end - self.start
        while left and (block := self._stream.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
        return digest.hexdigest()

    def _read(self, place: int, size: int) -> bytes:
        self._stream.seek(place)
        data = self._stream.read(size)
        if len(data) != size:
            raise EOFError("it ends too early")
        return data


class FrameCursor:
    """Reads a shard's clips as they lie, one after another; memory holds none of the others.

    Raises:
        DamagedError: the shard lacks its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        with reading(path), path.open("rb") as stream:
            check_end(path, stream)

    def take(self, clip_id: str) -> ClipFrames:
        """Return the next clip, which must be this one.

        Raises:
            DamagedError: it is another one, or the file is damaged.
        """
        clip = ClipFrames(self.path, clip_id, self._next)
        self._next = clip.end
        return clip

    def check_done(self) -> None:
        """See that no clip is left.

        Raises:
            DamagedError: there are clips that nobody took.
        """
        with reading(self.path):
            if self.path.stat().st_size != self._next + len(END):
                raise ValueError("it holds clips that its ledger does not name")
