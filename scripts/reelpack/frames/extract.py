"""extract_frames and crop_frames: the staged way from clips to pixels.

Flows in: a clip table (and for crops a frame shard). Flows out: frame shards, see `shard`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from reelpack.clips.table import Clip, read_usable_clips
from reelpack.config.recipes import Product
from reelpack.core.arrays import Frame
from reelpack.core.files import replace_file
from reelpack.frames.shard import ClipWriter, FrameShard, join_clips, split_shard
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow
from reelpack.jobs.stage import Stage, Task
from reelpack.video.decode import ContradictionError, decode_frames
from reelpack.video.geometry import Crop, Scale, crop_frame
from reelpack.video.jpeg import jpeg_bytes


def build_scale(frames: Mapping[str, Any]) -> Scale:
    """Build the scale that a recipe's `frames` mapping asks for."""
    return Scale(
        shorter_side=frames.get("shorter_side"),
        square=frames.get("square"),
        scaler=frames["scaler"],
        jpeg=frames.get("jpeg"),
    )


def build_crop(product: Product) -> Crop | None:
    """Build the crop of a product, None for whole frames."""
    return None if product.crop is None else Crop(**product.crop)


def extract_clip(task: Task) -> None:
    """Decode one clip into its clip file.

    Raises:
        ClipError: the clip cannot be decoded, or has too few frames.
    """
    begin_again_if_wrong(partial(_extract, task))


def begin_again_if_wrong(work: Callable[[bool], None]) -> None:
    """Do `work(indexed)` with True; with False again where frames came that are not the clip's.

    Raises:
        ClipError: as the last of them does.
    """
    try:
        work(True)
    except ContradictionError:
        work(False)


def _extract(task: Task, indexed: bool) -> None:
    clip: Clip = task.item
    product: Product = task.settings
    frames = decode_frames(
        Path(clip.path),
        sampling=product.sampling,
        scales=[build_scale(product.frames)],
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        record=clip.record,
        indexed=indexed,
    )
    with replace_file(task.target) as temporary, ClipWriter(temporary, clip.clip_id) as writer:
        for frame in frames:
            writer.add(frame.images[0], pts_seconds=frame.pts_seconds)


@dataclass(frozen=True)
class CropSettings:
    """What crop_clip needs: the frame shard and the product."""

    shard: Path
    product: Product


def cut_image(frame: Frame, crop: Crop | None) -> Frame | bytes:
    """Cut uint8[H,W,3], as a JPEG file where the crop says so.

    Raises:
        ClipError: too_small, when the crop is larger than the frame.
    """
    cropped = crop_frame(frame, crop)
    return cropped if crop is None or crop.jpeg is None else jpeg_bytes(cropped, crop.jpeg)


@lru_cache(maxsize=64)
def open_shard(path: Path) -> FrameShard:
    """Open a frame shard once per process."""
    return FrameShard(path)


def crop_clip(task: Task) -> None:
    """Crop one clip's frames into its clip file.

    Raises:
        ClipError: too_small, when the crop is larger than the frame.
    """
    settings: CropSettings = task.settings
    shard = open_shard(settings.shard)
    clip_id = task.item.clip_id
    crop = build_crop(settings.product)
    pairs = zip(shard.frames(clip_id), shard.pts_seconds(clip_id), strict=True)
    with replace_file(task.target) as temporary, ClipWriter(temporary, clip_id) as writer:
        for frame, pts_seconds in pairs:
            writer.add(cut_image(frame, crop), pts_seconds=pts_seconds)


EXTRACT = Stage(
    "extract_frames", extract_clip, split_shard, join_clips, ("reelpack.frames.extract",)
)
CROP = Stage("crop_frames", crop_clip, split_shard, join_clips, ("reelpack.frames.extract",))


def run_frames(stage: Stage, clips: Path, settings: Any, job: Job) -> list[LedgerRow]:
    """Run EXTRACT, CROP or EXTRACT_AUDIO on a shard; see `Stage.run` for what is written."""
    rows = job.read_earlier()
    wanted = {clip.key(job.result): clip for clip in read_usable_clips(clips, rows)}
    return stage.run(wanted, job, earlier=rows, settings=settings)
