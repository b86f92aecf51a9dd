"""encode_images: the streamed way from clips to the image files of a pack, in one pass.

Flows in: a clip table. Flows out: frame shards, see `shard`, of all crop sets of a recipe. They hold the
bytes that the pack holds, so that write_pack only copies them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reelpack.config.recipes import Product, product_of
from reelpack.core.arrays import Frame
from reelpack.core.files import replace_file
from reelpack.frames.clip_pixels import Cuts, decode_crops
from reelpack.frames.extract import begin_again_if_wrong, cut_image
from reelpack.frames.shard import ClipWriter, join_clips, split_shard
from reelpack.images.files import (
    DEFAULT_QUALITY,
    LARGEST_SIDES,
    SUFFIXES,
    ImageKind,
    decode_picture,
    encode_picture,
)
from reelpack.jobs.stage import Stage, Task
from reelpack.video.decode import DecodedFrame


@dataclass(frozen=True)
class ImageSettings:
    """What the image files of one clip need; picklable.

    Attributes:
        products: the recipe's crop sets.
        image: the kind of file that the pack makes of frames; None where it holds them as they are.
        quality: 1 to 100.
    """

    products: tuple[Product, ...]
    image: ImageKind | None
    quality: int

    @classmethod
    def of(cls, result: Mapping[str, Any], *, ffmpeg: str | None = None) -> ImageSettings:
        """Read an encode_images result; `ffmpeg` as for `product_of`."""
        products = tuple(product_of(pixels, ffmpeg=ffmpeg) for pixels in result["pixels"])
        image = result["image"] or {}
        return cls(products, image.get("image"), image.get("quality", DEFAULT_QUALITY))

    def allows(self, frames: Sequence[Frame | bytes]) -> bool:
        """Whether files of this kind can be as large as these frames."""
        return self.image is None or all(
            max(_pixels(frame).shape) <= LARGEST_SIDES[self.image] for frame in frames
        )


def encode_clip_images(task: Task) -> None:
    """Decode one clip into the image files of its clip file.

    Raises:
        ClipError: the clip cannot be decoded or cropped, or has too few frames.
    """
    begin_again_if_wrong(partial(_encode_clip, task))


def _encode_clip(task: Task, indexed: bool) -> None:
    settings: ImageSettings = task.settings
    clip_id = task.item.clip_id
    frames = decode_crops(task.item, settings.products, _cut_all, indexed=indexed)
    with replace_file(task.target) as temporary, ClipWriter(temporary, clip_id) as writer:
        image = settings.image
        for pts_seconds, cut in frames:
            # Frames that are too large are kept as they are: the pack's writer tells of them.
            if not writer.pts_seconds and not settings.allows(cut):
                image = None
            files = [_encode(frame, image, settings.quality) for frame in cut]
            ending = "jpg" if image is None else SUFFIXES[image]
            writer.add(*files, pts_seconds=pts_seconds, ending=ending)
        if len(settings.products) > 1:
            writer.notes["crop_sets"] = len(settings.products)
        if image not in (None, "png"):
            writer.notes["made_as"] = [image, settings.quality]


def _cut_all(frame: DecodedFrame, cuts: Cuts) -> list[Frame | bytes]:
    """Return what extract_frames, or crop_frames, keeps of a frame for every crop set."""
    decoded: Sequence[Frame] = ()
    found: list[Frame | bytes] = []
    for number, crop in cuts:
        if crop is None:
            found.append(frame.images[number])
            continue
        decoded = decoded or frame.pixels
        found.append(cut_image(decoded[number], crop))
    return found


def _encode(frame: Frame | bytes, image: ImageKind | None, quality: int) -> Frame | bytes:
    if image is None:
        return frame
    return encode_picture(_pixels(frame), image=image, quality=quality)


def _pixels(frame: Frame | bytes) -> Frame:
    return decode_picture(frame) if isinstance(frame, bytes) else frame


IMAGES = Stage(
    "encode_images", encode_clip_images, split_shard, join_clips, ("reelpack.frames.images",)
)
