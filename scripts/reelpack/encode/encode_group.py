"""encode_group: one decode of a shard's clips for all streamed recipes of a group.

Finished clips go into the journals of the recipes' own encode_shard jobs, which find them there and
have nothing left to decode. Only what goes smoothly is kept: a clip that fails, a model that cannot
be loaded, or a clip that only one recipe still lacks is left to the recipe's own job, which decides
alone what becomes of it. So a group changes the time that things take, and never a result.

Flows in: a clip table, the weights of all recipes. Flows out: clip files in their journals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reelpack.clips.table import Clip
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import sha256_file, write_bytes
from reelpack.encode.codes import split_codes
from reelpack.encode.device_batches import DeviceBatches, PixelWriter, pixel_files
from reelpack.encode.encode import encoder_modules, encoder_of, keyed_clips, usable_clips
from reelpack.encode.rows import ClipRows
from reelpack.encoders.interface import Encoder
from reelpack.frames.clip_pixels import EncodeSettings, shared_pixels
from reelpack.jobs.journal import Journal, holding, settled_keys
from reelpack.jobs.ledger import merge_ledgers, read_ledger
from reelpack.jobs.pool import counted, run_clips
from reelpack.jobs.retries import Retries
from reelpack.video.decode import SharedDecodeError

STAGE = "encode_shard"


@dataclass(frozen=True)
class Member:
    """One recipe of a group.

    Attributes:
        recipe: its name.
        settings: what encoding a clip needs.
        result: the result string of its encode_shard.
        journal: the journal folder of its encode_shard job.
    """

    recipe: str
    settings: EncodeSettings
    result: str
    journal: Path


@dataclass(frozen=True)
class Part:
    """What one recipe wants of one clip: the clip file to write."""

    recipe: str
    settings: EncodeSettings
    target: Path


@dataclass(frozen=True)
class GroupTask:
    """One clip for the recipes that still lack it, as sent to a worker process."""

    clip: Clip
    parts: tuple[Part, ...]


class Sink(Protocol):
    """Takes the frames of one clip for one recipe."""

    def add(self, crops: Sequence[Frame]) -> None:
        """Take the next frame's crops."""


# What a process has loaded, None for what cannot be loaded, by recipe.
_LOADED: dict[str, Encoder | None] = {}


def _load(recipe: str, settings: EncodeSettings) -> Encoder | None:
    if recipe not in _LOADED:
        try:
            _LOADED[recipe] = encoder_of(settings)
        except (UserError, RuntimeError) as error:
            _leave(recipe, error)
    return _LOADED[recipe]


def _leave(recipe: str, error: Exception) -> None:
    print(f"{recipe}: left to its own job: {' '.join(str(error).split())}", flush=True)
    _LOADED[recipe] = None


@contextmanager
def _leaving(recipe: str) -> Iterator[None]:
    """Have a model that fails in some other way than over a clip do no more work here."""
    try:
        yield
    except (UserError, RuntimeError) as error:
        _leave(recipe, error)


def encode_parts(task: GroupTask) -> None:
    """Decode one clip once and encode it for every recipe whose frames and model allow it."""
    sinks: list[Sink | None] = []
    for part in task.parts:
        encoder = _load(part.recipe, part.settings)
        sinks.append(None if encoder is None else ClipRows(encoder, len(part.settings.products)))
    for part, sink in _filled(task, sinks):
        assert isinstance(sink, ClipRows)
        try:
            with _leaving(part.recipe):
                write_bytes(part.target, sink.clip_bytes())
        except ClipError:
            continue


def decode_parts(task: GroupTask) -> None:
    """Decode one clip once into pixel files for every recipe, see `device_batches`."""
    writers = [PixelWriter(part.target, len(part.settings.products)) for part in task.parts]
    done: set[Path] = set()
    try:
        for part, sink in _filled(task, list(writers)):
            assert isinstance(sink, PixelWriter)
            # An own job encodes it while it decodes, and needs no room on the disk.
            if not sink.long:
                sink.close()
                done.add(part.target)
    finally:
        for part, writer in zip(task.parts, writers, strict=True):
            if part.target not in done:
                writer.drop()


def _filled(task: GroupTask, sinks: list[Sink | None]) -> list[tuple[Part, Sink]]:
    """Hand every recipe its frames; return the recipes that took all of them."""
    seen: set[int] = set()
    try:
        for number, crops in shared_pixels(task.clip, [part.settings for part in task.parts]):
            sink = sinks[number]
            if sink is None:
                continue
            seen.add(number)
            if not crops or not _take(sink, crops, task.parts[number].recipe):
                sinks[number] = None
    except SharedDecodeError:
        return []
    return [
        (part, sink)
        for number, (part, sink) in enumerate(zip(task.parts, sinks, strict=True))
        if sink is not None and number in seen
    ]


def _take(sink: Sink, crops: Sequence[Frame], recipe: str) -> bool:
    taken = False
    try:
        with _leaving(recipe):
            sink.add(crops)
            taken = True
    except ClipError:
        return False
    return taken


def _encode_on_device(
    results: Iterable[tuple[GroupTask, ClipError | None]],
) -> Iterator[tuple[GroupTask, ClipError | None]]:
    """Encode what `decode_parts` wrote, every model in batches of its own."""
    batches: dict[str, DeviceBatches] = {}
    for task, error in results:
        for part in task.parts if error is None else ():
            if not pixel_files(part.target, 1)[0].exists():
                continue
            encoder = _load(part.recipe, part.settings)
            if encoder is None:
                continue
            batch = batches.setdefault(part.recipe, DeviceBatches(encoder, may_shrink=False))
            with _leaving(part.recipe):
                for _ in batch.add(part.target, len(part.settings.products)):
                    pass
        yield task, error
    for recipe, batch in batches.items():
        if _LOADED[recipe] is not None:
            with _leaving(recipe):
                for _ in batch.finish():
                    pass


def encode_group(
    clips: Path,
    *,
    earlier: Path,
    members: Sequence[Member],
    retries: Retries,
    workers: int,
) -> int:
    """Encode a shard's clips for several streamed recipes.

    Args:
        clips: clip table of trim_shard.
        earlier: its ledger.
        members: the recipes, all for one device.
        retries: as for encode_shard.
        workers: processes.

    Returns:
        How many clips were decoded.
    """
    _LOADED.clear()
    wanted = usable_clips(clips, merge_ledgers([read_ledger(earlier)]))
    on_cpu = all(member.settings.device == "cpu" for member in members)
    modules = {name for member in members for name in encoder_modules(member.settings)}
    preload = ["reelpack.encode.encode_group", *(sorted(modules) if on_cpu else [])]
    with ExitStack() as stack:
        parts: dict[str, list[Part]] = {clip.clip_id: [] for clip in wanted}
        for member in sorted(members, key=lambda member: member.journal):
            stack.enter_context(holding(member.journal))
            for clip_id, part in _open_parts(member, wanted, retries):
                parts[clip_id].append(part)
        tasks = [
            GroupTask(clip, tuple(parts[clip.clip_id]))
            for clip in wanted
            if len(parts[clip.clip_id]) > 1
        ]
        print(f"encode_group: {len(wanted)} clips, {len(tasks)} to be shared", flush=True)
        work = encode_parts if on_cpu else decode_parts
        results: Iterable[tuple[GroupTask, ClipError | None]] = run_clips(
            work, tasks, workers=workers, preload=preload
        )
        if not on_cpu:
            results = _encode_on_device(results)
        for _ in counted(results, len(tasks)):
            pass
    return len(tasks)


def _open_parts(
    member: Member, wanted: Sequence[Clip], retries: Retries
) -> Iterator[tuple[str, Part]]:
    """Yield (clip id, part) of the clips that a recipe lacks."""
    keyed: Mapping[str, Clip] = keyed_clips(
        wanted, member.result, sha256_file(member.settings.weights)
    )
    # A finished job's journal stays sealed: nobody would seal it again.
    if keyed.keys() <= settled_keys(member.journal, retries):
        return
    book = Journal(member.journal, stage=STAGE, retries=retries, keys=keyed, split=split_codes)
    for key in book.open_keys(keyed):
        yield keyed[key].clip_id, Part(member.recipe, member.settings, book.path(key))
