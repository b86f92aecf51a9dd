"""encode_shard: from clips, or from their staged crops, to tokens or features.

On a CPU every worker process decodes and encodes whole clips with one thread. On a GPU worker
processes decode ahead and this process fills the device's batches across clips. Flows in: a clip
table, frame shards when staged, weights. Flows out: a codes shard, see `codes`, and a ledger.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path

from reelpack.clips.table import Clip, read_usable_clips
from reelpack.config.encoder_cards import encoder_card
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file, write_bytes
from reelpack.core.results import canonical
from reelpack.encode.codes import join_codes, split_codes
from reelpack.encode.device_batches import DeviceBatches, PixelWriter, long_mark
from reelpack.encode.rows import ClipRows
from reelpack.encoders.interface import Encoder
from reelpack.frames.clip_pixels import EncodeSettings, read_pixels
from reelpack.frames.extract import begin_again_if_wrong
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow
from reelpack.jobs.pool import Blaming
from reelpack.jobs.stage import Outcome, Stage, Task


@lru_cache(maxsize=16)
def _encoder(spec: str, weights: Path, device: str) -> Encoder:
    from reelpack.encoders.load import load_encoder
    from reelpack.jobs.device import set_deterministic

    set_deterministic()
    return load_encoder(json.loads(spec), weights, device=device)


def get_encoder(settings: EncodeSettings) -> Encoder:
    """Return the recipe's encoder, loaded once per process."""
    return _encoder(canonical(settings.encoder), settings.weights, settings.device)


def encode_clip(task: Task) -> None:
    """Decode and encode one clip into its clip file, in batches of the encoder's fixed shape.

    Raises:
        ClipError: the clip cannot be decoded, cropped or encoded, or has no frame.
    """
    begin_again_if_wrong(partial(_encode, task))


def _encode(task: Task, indexed: bool) -> None:
    settings: EncodeSettings = task.settings
    rows = ClipRows(get_encoder(settings), len(settings.products))
    _fill(rows, read_pixels(task.item, settings, indexed=indexed))
    write_bytes(task.target, rows.clip_bytes())


def _fill(sink: ClipRows | PixelWriter, pixels: Iterator[list[Frame]]) -> None:
    for crops in pixels:
        try:
            sink.add(crops)
        except ClipError:
            # Staged, a clip that cannot be decoded either has failed before anyone encodes it.
            for _ in pixels:
                pass
            raise
        if isinstance(sink, PixelWriter) and sink.long:
            return


def decode_clip(task: Task) -> None:
    """Decode one clip into pixel files beside its clip file, see `device_batches`.

    Raises:
        ClipError: the clip cannot be decoded or cropped, or has no frame.
    """
    begin_again_if_wrong(partial(_decode, task))


def _decode(task: Task, indexed: bool) -> None:
    settings: EncodeSettings = task.settings
    writer = PixelWriter(task.target, len(settings.products))
    try:
        _fill(writer, read_pixels(task.item, settings, indexed=indexed))
        writer.close()
    except BaseException:
        writer.drop()
        raise


def encode_batches(results: Iterable[Outcome], *, encoder: Encoder) -> Iterator[Outcome]:
    """Encode decoded clips in batches that are filled across clips.

    Args:
        results: tasks whose pixels `decode_clip` wrote, or that failed.
        encoder: see `encoders.interface.Encoder`.

    Yields:
        Each task when its results are in its clip file, or with its error.
    """
    batches = DeviceBatches(encoder)
    tasks: dict[Path, Task] = {}
    for task, error in results:
        if error is not None:
            yield task, error
        elif long_mark(task.target).exists():
            yield task, _encode_long(task)
        else:
            tasks[task.target] = task
            for target, failure in batches.add(task.target, len(task.settings.products)):
                yield tasks.pop(target), failure
    for target, failure in batches.finish():
        yield tasks.pop(target), failure


def _encode_long(task: Task) -> ClipError | None:
    try:
        Blaming(encode_clip, "decode")(task)
    except ClipError as error:
        return error
    long_mark(task.target).unlink()
    return None


# ---- the shard ---------------------------------------------------------------------------------


def describe_software(device: str) -> dict[str, str]:
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


def list_encoder_modules(settings: EncodeSettings) -> list[str]:
    """Return the modules that a worker process should bring along for an encoder."""
    card = encoder_card(settings.encoder["name"])
    features = ["reelpack.encoders.feature_encoder"] if card.width is not None else []
    return [*features, f"reelpack.encoders.{card.module}"]


def key_clips(clips: Iterable[Clip], result: str, weights_sha256: str) -> dict[str, Clip]:
    """Return journal key -> clip; a model trained again under one result string is another model."""
    made_by = canonical([result, weights_sha256])
    return {clip.key(made_by): clip for clip in clips}


def _encode_on_device(
    results: Iterable[Outcome], *, settings: EncodeSettings, made_with: dict[str, str]
) -> Iterator[Outcome]:
    """Encode on the device; a batch that had to shrink is noted in what the shard is made with."""
    outcomes = iter(results)
    first = next(outcomes, None)
    # A job that finds all its clips finished needs no model.
    if first is None:
        return
    encoder = get_encoder(settings)
    size = encoder.batch_size
    yield from encode_batches(itertools.chain([first], outcomes), encoder=encoder)
    if encoder.batch_size != size:
        made_with["batch"] = str(encoder.batch_size)


def encode_shard(clips: Path, settings: EncodeSettings, job: Job) -> list[LedgerRow]:
    """Encode a shard; see `Stage.run` for what is written."""
    weights_sha256 = sha256_file(settings.weights)
    made_with = {**describe_software(settings.device), "weights_sha256": weights_sha256}
    assemble = partial(join_codes, made_with=made_with)
    preload: tuple[str, ...] = (__name__,)
    if settings.device == "cpu":
        preload = (*preload, *list_encoder_modules(settings))
        stage = Stage("encode_shard", encode_clip, split_codes, assemble, preload)
    else:
        consume = partial(_encode_on_device, settings=settings, made_with=made_with)
        stage = Stage("encode_shard", decode_clip, split_codes, assemble, preload, consume)
    rows = job.read_earlier()
    wanted = key_clips(read_usable_clips(clips, rows), job.result, weights_sha256)
    return stage.run(wanted, job, earlier=rows, settings=settings)
