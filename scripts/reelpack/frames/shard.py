"""Frame shards: uncompressed tars of `{clip_id}/{n:06d}.png` or `.jpg` with time stamps, in list order.

Behind the frames of a clip stands `{clip_id}/index.json` with their time stamps in seconds, see
`ClipWriter`. Shards of several crop sets name a frame `{n:06d}.{crop set:02d}`, one crop set after another.
A clip's members lie together, so a shard is the plain concatenation of its clips. The codec is PNG at zlib
level 1: lossless, a third of the raw bytes, and every reader has it; lossless WebP takes 0.7 of its bytes
and 1.3 of its time (tests/bench/codecs.py). Where the recipe's frames are JPEG files, they are kept as such.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from reelpack.core.arrays import Frame
from reelpack.core.files import reading
from reelpack.images.files import decode_picture, encode_picture
from reelpack.jobs.ledger import LedgerRow

INDEX = "index.json"
END = bytes(2 * tarfile.BLOCKSIZE)
_BLOCK = 1 << 20


def name_image(number: int, crop_set: int, crop_sets: int) -> str:
    """Return the name, without its ending, of one frame of one of `crop_sets` crop sets."""
    return f"{number:06d}" if crop_sets == 1 else f"{number:06d}.{crop_set:02d}"


class ClipWriter:
    """Writes one clip's members, without a tar's end mark, to a file.

    Attributes:
        notes: what its index tells besides time stamps: `crop_sets` where there are several, and
            `made_as`, the kind and quality of the pack's image files where these are they.
    """

    def __init__(self, path: Path, clip_id: str) -> None:
        self.clip_id = clip_id
        self.pts_seconds: list[float] = []
        self.notes: dict[str, Any] = {}
        self._stream = path.open("wb")
        self._tar = tarfile.TarFile(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)

    def __enter__(self) -> ClipWriter:
        return self

    def add(self, *images: Frame | bytes, pts_seconds: float, ending: str = "jpg") -> None:
        """Add the next frame, once per crop set: uint8[H,W,3], or a file of the kind that `ending` names."""
        for number, image in enumerate(images):
            stem = name_image(len(self.pts_seconds), number, len(images))
            if isinstance(image, bytes):
                self._member(f"{stem}.{ending}", image)
            else:
                self._member(f"{stem}.png", encode_picture(image, image="png"))
        self.pts_seconds.append(pts_seconds)

    def _member(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(f"{self.clip_id}/{name}")
        member.size = len(data)
        self._tar.addfile(member, io.BytesIO(data))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            index = {"pts_seconds": self.pts_seconds, **self.notes}
            self._member(INDEX, json.dumps(index).encode())
        end = self._tar.offset
        self._tar.close()
        self._stream.truncate(end)
        self._stream.close()


def join_clips(target: Path, clips: Sequence[tuple[str, Path]]) -> None:
    """Write a shard from clip files, in their order."""
    with target.open("wb") as shard:
        for _, path in clips:
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    shard.write(block)
        shard.write(END)


def check_end(path: Path, stream: BinaryIO) -> None:
    """See that a shard has its end: one that was cut between two members reads well to the cut.

    Raises:
        EOFError: it has not.
    """
    stream.seek(-min(len(END), path.stat().st_size), os.SEEK_END)
    if stream.read() != END:
        raise EOFError("it lacks its end")


class FrameShard:
    """Random access to the frames of one shard.

    Attributes:
        clip_ids: the clips in list order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frames: dict[str, list[tuple[int, int]]] = {}
        self._index: dict[str, tuple[int, int]] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        self._stream = path.open("rb")
        with reading(path), tarfile.open(path, "r:") as tar:
            check_end(path, self._stream)
            for member in tar:
                clip_id, name = member.name.rsplit("/", 1)
                place = (member.offset_data, member.size)
                start = self._bounds.get(clip_id, (member.offset, 0))[0]
                padded = -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                self._bounds[clip_id] = (start, member.offset_data + padded)
                if name == INDEX:
                    self._index[clip_id] = place
                else:
                    self._frames.setdefault(clip_id, []).append(place)
        self.clip_ids = list(self._index)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file out: another process opens it anew, and reads no index again."""
        return {key: value for key, value in self.__dict__.items() if key != "_stream"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._stream = self.path.open("rb")

    def _read(self, place: tuple[int, int]) -> bytes:
        # Without a file position, so that threads can share the file.
        data = os.pread(self._stream.fileno(), place[1], place[0])
        if len(data) != place[1]:
            raise EOFError("it ends too early")
        return data

    def count(self, clip_id: str) -> int:
        """Return how many frames a clip has."""
        return len(self._frames.get(clip_id, []))

    def frame(self, clip_id: str, number: int) -> Frame:
        """Return one frame, uint8[H,W,3]."""
        with reading(self.path):
            data = self._read(self._frames[clip_id][number])
            return decode_picture(data)

    def frames(self, clip_id: str) -> Iterator[Frame]:
        """Yield a clip's frames in order, uint8[H,W,3]."""
        for number in range(self.count(clip_id)):
            yield self.frame(clip_id, number)

    def pts_seconds(self, clip_id: str) -> list[float]:
        """Return the time stamps of a clip's frames in seconds."""
        with reading(self.path):
            stamps: list[float] = json.loads(self._read(self._index[clip_id]))["pts_seconds"]
            if len(stamps) != self.count(clip_id):
                raise ValueError(f"{clip_id} lacks frames")
            return stamps

    def blocks(self, clip_id: str) -> Iterator[bytes]:
        """Yield the bytes of a clip's members, as its clip file held them."""
        start, end = self._bounds[clip_id]
        self._stream.seek(start)
        while start < end:
            block = self._stream.read(min(_BLOCK, end - start))
            if not block:
                return
            yield block
            start += len(block)


def split_shard(
    folder: Path, rows: Sequence[LedgerRow], wanted: Collection[str]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Cut a sealed shard into clip files; see `journal.Journal`."""
    shard = FrameShard(folder / "output.tar")
    for row in rows:
        if row.key in wanted and row.clip_id in shard.clip_ids:
            yield row.key, shard.blocks(row.clip_id)


class ShardFrames:
    """All frames of several shards as one sequence, for training.

    Frame i is uint8[H,W,3]; the order is by clip id, so it does not depend on how clips are sharded.

    Attributes:
        counts: frames of each clip that has any.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        opened = [FrameShard(path) for path in shards]
        owner = {clip_id: shard for shard in opened for clip_id in shard.clip_ids}
        clips = [(owner[clip_id], clip_id) for clip_id in sorted(owner)]
        self._clips = [(shard, clip_id) for shard, clip_id in clips if shard.count(clip_id)]
        self.counts = [shard.count(clip_id) for shard, clip_id in self._clips]
        self._ends = list(accumulate(self.counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(index)
        clip = bisect_right(self._ends, index)
        shard, clip_id = self._clips[clip]
        return shard.frame(clip_id, index - self._ends[clip] + self.counts[clip])
