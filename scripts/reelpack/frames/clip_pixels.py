"""From clips, or their staged shards, to the frames that recipes encode.

Flows in: a clip and what recipes ask of it. Flows out: per frame the crop of every crop set, for one
recipe or, from a single decode, for several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reelpack.clips.table import Clip
from reelpack.config.recipes import Product, product_of
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, blame_clip
from reelpack.frames.extract import build_crop, build_scale, open_shard
from reelpack.video.decode import (
    ContradictionError,
    DecodedFrame,
    Request,
    decode_frames,
    decode_requests,
)
from reelpack.video.geometry import Crop, crop_frame

Item = TypeVar("Item")
# Per crop set: the number of its scale in the request, and its crop.
Cuts = list[tuple[int, Crop | None]]


@dataclass(frozen=True)
class EncodeSettings:
    """What encoding one clip needs; picklable.

    Attributes:
        encoder: the recipe's `encoder` mapping.
        weights: safetensors file.
        products: the recipe's crop sets.
        shards: one frame shard per crop set when staged, empty when streamed.
        device: "cpu" or "cuda".
    """

    encoder: Mapping[str, Any]
    weights: Path
    products: tuple[Product, ...]
    shards: tuple[Path, ...]
    device: str

    @classmethod
    def of(
        cls,
        result: Mapping[str, Any],
        *,
        weights: Path,
        shards: Iterable[Path] = (),
        device: str,
        ffmpeg: str = "",
    ) -> EncodeSettings:
        """Read an encode_shard result; `ffmpeg` as the config names it."""
        staged = tuple(shards)
        decoding = None if staged else ffmpeg
        products = tuple(product_of(pixels, ffmpeg=decoding) for pixels in result["pixels"])
        return cls(result["encoder"], weights, products, staged, device)

    @property
    def request(self) -> Request:
        """What a streamed recipe asks of the decoder."""
        return build_request(self.products)

    @property
    def cuts(self) -> Cuts:
        """What is cut for the crop sets."""
        return build_cuts(self.products)


def build_request(products: Sequence[Product]) -> Request:
    """Build what a recipe's crop sets ask of the decoder."""
    scales = dict.fromkeys(build_scale(product.frames) for product in products)
    return Request(products[0].sampling, tuple(scales))


def build_cuts(products: Sequence[Product]) -> Cuts:
    """Build what is cut from the frames of `build_request`."""
    scales = build_request(products).scales
    return [(scales.index(build_scale(p.frames)), build_crop(p)) for p in products]


def read_pixels(
    clip: Clip, settings: EncodeSettings, *, indexed: bool = True
) -> Iterator[list[Frame]]:
    """Yield, frame by frame, the crop of every crop set, from one decode.

    `indexed` False decodes streamed clips in full from the first.

    Raises:
        ContradictionError: as decoding does; what came before is to be thrown away.
        ClipError: as decoding and cropping do.
    """
    if settings.shards:
        shards = [open_shard(path) for path in settings.shards]
        for crops in zip(*(shard.frames(clip.clip_id) for shard in shards), strict=True):
            yield list(crops)
        return
    for _, decoded in decode_crops(clip, settings.products, _crop_all, indexed=indexed):
        yield decoded


def decode_crops(
    clip: Clip,
    products: Sequence[Product],
    cut_all: Callable[[DecodedFrame, Cuts], list[Item]],
    *,
    indexed: bool,
) -> Iterator[tuple[float, list[Item]]]:
    """Yield, frame by frame, its time stamp in seconds and what `cut_all` makes of it for every crop set.

    Raises:
        ContradictionError: as decoding does; what came before is to be thrown away.
        ClipError: as decoding and `cut_all` do; it names the stage that would have failed in staged mode.
    """
    request, cuts = build_request(products), build_cuts(products)
    frames = decode_frames(
        Path(clip.path),
        sampling=request.sampling,
        scales=request.scales,
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        record=clip.record,
        indexed=indexed,
    )
    decoded = _blame_decoding(frames)
    for frame in decoded:
        try:
            with _blaming("crop_frames"):
                crops = cut_all(frame, cuts)
            yield frame.pts_seconds, crops
        except ClipError:
            # Staged, a clip that cannot be decoded either has failed before anyone crops it.
            for _ in decoded:
                pass
            raise


def read_shared_pixels(
    clip: Clip, members: Sequence[EncodeSettings]
) -> Iterator[tuple[int, list[Frame]]]:
    """Yield (number of the member, crops) for several streamed recipes from one decode.

    A member that cannot have its frames gets an empty list once, and none after.

    Raises:
        SharedDecodeError: see `decode_requests`.
    """
    cuts = [settings.cuts for settings in members]
    out: set[int] = set()
    found = decode_requests(
        Path(clip.path),
        [settings.request for settings in members],
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        record=clip.record,
    )
    for number, frame in found:
        if number in out:
            continue
        try:
            if isinstance(frame, ClipError):
                raise frame
            with _blaming("crop_frames"):
                crops = _crop_all(frame, cuts[number])
        except ClipError:
            out.add(number)
            crops = []
        yield number, crops


def _crop_all(frame: DecodedFrame, cuts: Cuts) -> list[Frame]:
    scaled = frame.pixels
    return [crop_frame(scaled[number], crop) for number, crop in cuts]


def _blame_decoding(frames: Iterable[Item]) -> Iterator[Item]:
    with _blaming("extract_frames"):
        yield from frames


@contextmanager
def _blaming(stage: str) -> Iterator[None]:
    """Have an error name the stage that would have failed in staged mode."""
    try:
        yield
    except ContradictionError:
        raise
    except Exception as error:
        blamed = blame_clip(error, "decode")
        if blamed is None:
            raise
        raise ClipError(blamed.failure, blamed.message, stage) from error
