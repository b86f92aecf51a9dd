"""Clips of JPEG frames for the tests of packs that hold such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelpack.images.files import decode_picture, encode_picture
from reelpack.packs import Entry, FrameSequence, Variant
from tests.support.clips import picture

WHOLE = (Variant("violet2_native_jpeg75"),)


class JpegFrames(FrameSequence):
    """Frames kept as JPEG files, `uint8[height, width, 3]`."""

    def __init__(self, numbers: Sequence[int], *, width: int = 32, height: int = 24) -> None:
        self.files = [
            encode_picture(picture(number, width, height), image="jpeg", quality=75)
            for number in numbers
        ]

    @property
    def pts_seconds(self) -> Sequence[float]:
        return [float(number) for number in range(len(self.files))]

    @property
    def stored_bytes(self) -> int:
        return sum(map(len, self.files))

    def __len__(self) -> int:
        return len(self.files)

    def png(self, number: int) -> bytes:
        return encode_picture(decode_picture(self.files[number]), image="png")

    def file(self, number: int) -> bytes:
        return self.files[number]


def frame_entry(clip_id: str, order: int = 0, *, frames: int = 2, **options: Any) -> Entry:
    """A clip with `frames` pictures of its own."""
    arrays = options.pop("arrays", {WHOLE[0].name: JpegFrames(range(order, order + frames))})
    captions = options.pop("captions", (f"text of {clip_id}", 'two "quotes" 😀'))
    return Entry(
        clip_id=clip_id,
        order=order,
        label=options.pop("label", 1),
        caption=captions[0] if captions else None,
        arrays=arrays,
        captions=captions,
        video=options.pop("video", f"{clip_id}.mp4"),
        **options,
    )
