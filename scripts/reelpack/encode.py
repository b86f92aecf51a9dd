"""encode_shard: from clips, or from their staged crops, to tokens.

On a CPU every worker process decodes and encodes whole clips with one thread. On a GPU worker
processes decode ahead and this process fills the device's batches across clips. Flows in: a clip
table, frame shards when staged, weights. Flows out: a codes shard, see `codes`, and a ledger.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .clips import Clip, read_clips
from .codes import clip_bytes, join_codes, split_codes
from .errors import ClipError
from .extract import crop_of, open_shard, sampling_of, scale_of
from .files import replace_file, sha256_file, write_bytes
from .journal import Retries
from .ledger import LedgerRow, merge_ledgers, read_ledger
from .pictures import Frame
from .recipes import Product
from .results import canonical
from .stage import Outcome, Stage, Task
from .video.decode import decode_frames
from .video.geometry import crop_frame

Item = TypeVar("Item")


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


def pixels(clip: Clip, settings: EncodeSettings) -> Iterator[list[Frame]]:
    """Yield, frame by frame, the crop of every crop set, from one decode.

    Raises:
        ClipError: as decoding and cropping do.
    """
    if settings.shards:
        shards = [open_shard(path) for path in settings.shards]
        for crops in zip(*(shard.frames(clip.clip_id) for shard in shards), strict=True):
            yield list(crops)
        return
    scales = list(dict.fromkeys(scale_of(product.frames) for product in settings.products))
    cuts = [(scales.index(scale_of(p.frames)), crop_of(p)) for p in settings.products]
    frames = decode_frames(
        Path(clip.path),
        sampling=sampling_of(settings.products[0].frames),
        scales=scales,
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        record=clip.record,
    )
    decoded = _blaming(frames, "extract_frames")
    for frame in decoded:
        scaled = frame.pixels
        cropped = (crop_frame(scaled[number], crop) for number, crop in cuts)
        try:
            yield list(_blaming(cropped, "crop_frames"))
        except ClipError:
            # Staged, a clip that cannot be decoded either has failed before anyone crops it.
            for _ in decoded:
                pass
            raise


def _blaming(items: Iterable[Item], stage: str) -> Iterator[Item]:
    """Pass items on; an error names the stage that would have failed in staged mode."""
    try:
        yield from items
    except ClipError as error:
        raise ClipError(error.failure, error.message, stage) from error


@lru_cache(maxsize=1)
def _encoder(name: str, weights: Path, device: str) -> Any:
    from .encoders.base import load_encoder, set_deterministic

    set_deterministic()
    return load_encoder({"name": name}, weights, device=device)


def encode_clip(task: Task) -> None:
    """Decode and encode one clip into its clip file, in batches of the encoder's fixed shape.

    Raises:
        ClipError: the clip cannot be decoded, cropped or encoded, or has no frame.
    """
    from .encoders.base import encode_frames

    settings: EncodeSettings = task.settings
    encoder = _encoder(settings.encoder["name"], settings.weights, settings.device)
    frames = pixels(task.item, settings)
    parts: list[list[NDArray[Any]]] = [[] for _ in settings.products]
    while chunk := list(itertools.islice(frames, max(encoder.batch_size, 1))):
        for number, part in enumerate(parts):
            part.append(encode_frames(encoder, [crops[number] for crops in chunk]))
    if not parts[0]:
        raise ClipError("too_short", "no frame in this clip")
    write_bytes(task.target, clip_bytes([np.concatenate(part) for part in parts]))


# ---- GPU: decode in worker processes, encode here ----------------------------------------------


def decode_clip(task: Task) -> None:
    """Decode one clip into a raw file beside its clip file: uint8[frames, crop sets, S, S, 3].

    Raises:
        ClipError: the clip cannot be decoded or cropped, or has no frame.
    """
    count = 0
    with replace_file(_pixel_file(task)) as temporary, temporary.open("wb") as stream:
        for crops in pixels(task.item, task.settings):
            stream.write(np.stack(crops).tobytes())
            count += 1
    if not count:
        raise ClipError("too_short", "no frame in this clip")


def _pixel_file(task: Task) -> Path:
    return task.target.with_suffix(".pixels")


@dataclass
class _Open:
    """A clip whose tokens are on their way."""

    task: Task
    wanted: int
    tokens: list[NDArray[Any]]


def encode_batches(results: Iterable[Outcome], *, encoder: Any) -> Iterator[Outcome]:
    """Encode decoded clips in batches that are filled across clips.

    Args:
        results: tasks whose pixels `decode_clip` wrote, or that failed.
        encoder: see `encoders.base.Encoder`.

    Yields:
        Each task when its tokens are in its clip file, or with its error.
    """
    batch: list[Frame] = []
    owners: list[_Open] = []
    for task, error in results:
        if error is not None:
            yield task, error
            continue
        side = task.settings.products[0].side
        crops = np.memmap(_pixel_file(task), dtype=np.uint8, mode="r").reshape(-1, side, side, 3)
        entry = _Open(task, len(crops), [])
        for crop in crops:
            batch.append(crop)
            owners.append(entry)
            if len(batch) == encoder.batch_size:
                yield from _flush(batch, owners, encoder)
    if batch:
        yield from _flush(batch, owners, encoder)


def _flush(batch: list[Frame], owners: list[_Open], encoder: Any) -> Iterator[Outcome]:
    from .encoders.base import encode_frames

    for entry, tokens in zip(owners, encode_frames(encoder, batch), strict=True):
        entry.tokens.append(tokens)
        if len(entry.tokens) == entry.wanted:
            sets = len(entry.task.settings.products)
            tokens_of_sets = [np.stack(entry.tokens[number::sets]) for number in range(sets)]
            write_bytes(entry.task.target, clip_bytes(tokens_of_sets))
            _pixel_file(entry.task).unlink()
            yield entry.task, None
    batch.clear()
    owners.clear()


# ---- the shard ---------------------------------------------------------------------------------


def software(device: str) -> dict[str, str]:
    """Return what tokens depend on besides recipe and weights: device and versions."""
    import av
    import torch

    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    return {
        "device": torch.cuda.get_device_name() if device != "cpu" else "cpu",
        "av": av.__version__,
        "torch": str(torch.__version__),
        **libraries,
    }


def encode_shard(
    clips: Path,
    *,
    earlier: Sequence[Path],
    settings: EncodeSettings,
    result: str,
    retries: Retries,
    journal: Path,
    output: Path,
    ledger: Path,
    workers: int,
) -> list[LedgerRow]:
    """Encode a shard; see `Stage.run` for what is written."""
    work, consume = encode_clip, None
    preload = ["reelpack.encode", f"reelpack.encoders.{settings.encoder['name']}"]
    if settings.device != "cpu":
        encoder = _encoder(settings.encoder["name"], settings.weights, settings.device)
        work, preload = decode_clip, ["reelpack.encode"]

        def consume(results: Iterable[Outcome]) -> Iterator[Outcome]:
            return encode_batches(results, encoder=encoder)

    weights_sha256 = sha256_file(settings.weights)
    made_with = {**software(settings.device), "weights_sha256": weights_sha256}
    assemble = partial(join_codes, made_with=made_with)
    stage = Stage("encode_shard", work, split_codes, assemble, tuple(preload), consume)
    rows = merge_ledgers([read_ledger(path) for path in earlier])
    good = {row.clip_id for row in rows if row.ok}
    wanted = [clip for clip in read_clips(clips) if clip.clip_id in good]
    # A model trained again under the same result string is still another model.
    made_by = canonical([result, weights_sha256])
    return stage.run(
        {clip.key(made_by): clip for clip in wanted},
        settings=settings,
        journal=journal,
        retries=retries,
        output=output,
        ledger=ledger,
        earlier=rows,
        workers=workers,
    )
