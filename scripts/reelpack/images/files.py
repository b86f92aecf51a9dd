"""The frames of one clip, and the picture files that packs keep of them, one at a time in memory."""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import Literal

import numpy as np
from PIL import Image

from reelpack.core.arrays import Frame

ImageKind = Literal["png", "jpeg", "webp"]
SUFFIXES: dict[ImageKind, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
# Settings of libjpeg and libwebp at which artefacts are hard to see; Pillow's own are 75 and 80.
DEFAULT_QUALITY = 90
# Pictures under way in other processes: enough for every core, little memory at any size.
_AHEAD = 32
LARGEST_SIDES: dict[ImageKind, int] = {"png": 65535, "jpeg": 65535, "webp": 16383}


class FrameSequence(ABC):
    """The frames of one clip at one size and crop, read when asked for."""

    @property
    @abstractmethod
    def pts_seconds(self) -> Sequence[float]:
        """Time stamps in seconds, one per frame."""

    @property
    def made_as(self) -> tuple[ImageKind, int] | None:
        """Kind and quality of the image files that the shard's files are already, None for other files."""
        return None

    @property
    @abstractmethod
    def stored_bytes(self) -> int:
        """Size of all frames as the shard keeps them."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def png(self, number: int) -> bytes:
        """Return one frame as a PNG file, lossless."""

    def file(self, number: int) -> bytes:
        """Return one frame as the shard keeps it: a PNG, or a JPEG file where the recipe says so."""
        return self.png(number)

    def __getitem__(self, number: int) -> Frame:
        """Return one frame, uint8[H, W, 3]."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return decode_picture(self.file(number))

    def __iter__(self) -> Iterator[Frame]:
        for number in range(len(self)):
            yield self[number]


class Pictures:
    """The pictures of one clip as files, in order; each is made or read when asked for.

    Args:
        count: how many there are.
        read: gives the bytes of one; the same ones whenever it is called.
        convert: makes of these the picture that is meant; picklable.
        pool: where `convert` runs when all pictures are gone through; None for here.
    """

    def __init__(
        self,
        count: int,
        read: Callable[[int], bytes],
        *,
        convert: Callable[[bytes], bytes] | None = None,
        pool: Executor | None = None,
    ) -> None:
        self._count = count
        self._read = read
        self._convert = convert
        self._pool = pool
        self._digest = ""

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._converted(number)

    def __iter__(self) -> Iterator[bytes]:
        """Yield all; a writer that comes to the end has them digested on the way."""
        digest = hashlib.sha256()
        for data in self._all():
            digest.update(f"{len(data)}\n".encode())
            digest.update(data)
            yield data
        self._digest = digest.hexdigest()

    def _converted(self, number: int) -> bytes:
        data = self._read(number)
        return data if self._convert is None else self._convert(data)

    def _all(self) -> Iterator[bytes]:
        if self._pool is None or self._convert is None:
            yield from map(self._converted, range(self._count))
            return
        running: deque[Future[bytes]] = deque()
        for number in range(self._count):
            running.append(self._pool.submit(self._convert, self._read(number)))
            if len(running) == _AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    def sha256(self) -> str:
        """Return the SHA-256, in hexadecimal, over lengths and bytes of all pictures."""
        if not self._digest:
            for _ in self:
                pass
        return self._digest


def keep_files(frames: FrameSequence) -> Pictures:
    """Return a clip's frames as the files that the shard keeps."""
    return Pictures(len(frames), frames.file)


def encode_picture(frame: Frame, *, image: ImageKind, quality: int = DEFAULT_QUALITY) -> bytes:
    """Return uint8[H, W, 3] as a picture file.

    Args:
        frame: the pixels.
        image: png is lossless and ignores `quality`; jpeg halves the colour's resolution.
        quality: 1 to 100, as Pillow takes it.
    """
    stream = io.BytesIO()
    options = {"compress_level": 1} if image == "png" else {"quality": quality}
    Image.fromarray(frame).save(stream, image, **options)
    return stream.getvalue()


def decode_picture(data: bytes) -> Frame:
    """Return a picture file's pixels, uint8[H, W, 3].

    Raises:
        OSError: the file is not a picture, or ends too early.
    """
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def convert_frames(
    frames: FrameSequence,
    *,
    image: ImageKind = "png",
    quality: int = DEFAULT_QUALITY,
    pool: Executor | None = None,
) -> Pictures:
    """Return a clip's frames as picture files: the shard's own where they are such, as PNG files are."""
    if frames.made_as == (image, quality):
        return keep_files(frames)
    if image == "png":
        return Pictures(len(frames), frames.png)
    convert = partial(_encode_again, image=image, quality=quality)
    return Pictures(len(frames), frames.file, convert=convert, pool=pool)


def _encode_again(data: bytes, *, image: ImageKind, quality: int) -> bytes:
    return encode_picture(decode_picture(data), image=image, quality=quality)
