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

from reelpack.clips.table import Clip, read_usable_clips
from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError, UserError
from reelpack.core.files import sha256_file, write_bytes
from reelpack.encode.codes import split_codes
from reelpack.encode.device_batches import DeviceBatches, PixelWriter, pixel_files
from reelpack.encode.rows import ClipRows
from reelpack.encode.single import get_encoder, key_clips, list_encoder_modules
from reelpack.encoders.interface import Encoder
from reelpack.frames.clip_pixels import EncodeSettings, read_shared_pixels
from reelpack.jobs.journal import Journal, find_settled_keys, lock_journal
from reelpack.jobs.ledger import merge_ledgers, read_ledger
from reelpack.jobs.pool import print_progress, run_clips
from reelpack.jobs.retries import Retries
from reelpack.video.decode import SharedDecodeError

STAGE = "encode_shard"


@dataclass(frozen=True)
class GroupMember:
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
            _LOADED[recipe] = get_encoder(settings)
        except (UserError, RuntimeError) as error:
            _leave(recipe, error)
    return _LOADED[recipe]


def _leave(recipe: str, error: Exception) -> None:
    print(f"{recipe}: left to its own job: {' '.join(str(error).split())}", flush=True)
    _LOADED[recipe] = None


@contextmanager
def _leave_if_it_fails(recipe: str) -> Iterator[None]:
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
    for part, sink in _fill(task, sinks):
        assert isinstance(sink, ClipRows)
        try:
            with _leave_if_it_fails(part.recipe):
                write_bytes(part.target, sink.clip_bytes())
        except ClipError:
            continue


def decode_parts(task: GroupTask) -> None:
    """Decode one clip once into pixel files for every recipe, see `device_batches`."""
    writers = [PixelWriter(part.target, len(part.settings.products)) for part in task.parts]
    done: set[Path] = set()
    try:
        for part, sink in _fill(task, list(writers)):
            assert isinstance(sink, PixelWriter)
            # An own job encodes it while it decodes, and needs no room on the disk.
            if not sink.long:
                sink.close()
                done.add(part.target)
    finally:
        for part, writer in zip(task.parts, writers, strict=True):
            if part.target not in done:
                writer.drop()


def _fill(task: GroupTask, sinks: list[Sink | None]) -> list[tuple[Part, Sink]]:
    """Hand every recipe its frames; return the recipes that took all of them."""
    seen: set[int] = set()
    try:
        for number, crops in read_shared_pixels(task.clip, [part.settings for part in task.parts]):
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
        with _leave_if_it_fails(recipe):
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
            with _leave_if_it_fails(part.recipe):
                for _ in batch.add(part.target, len(part.settings.products)):
                    pass
        yield task, error
    for recipe, batch in batches.items():
        if _LOADED[recipe] is not None:
            with _leave_if_it_fails(recipe):
                for _ in batch.finish():
                    pass


def encode_group(
    clips: Path,
    *,
    earlier: Sequence[Path],
    members: Sequence[GroupMember],
    retries: Retries,
    workers: int,
) -> int:
    """Encode a shard's clips for several streamed recipes.

    Args:
        clips: clip table of trim_shard.
        earlier: its ledger, and perhaps those of others before.
        members: the recipes, all for one device.
        retries: as for encode_shard.
        workers: processes.

    Returns:
        How many clips were decoded.
    """
    _LOADED.clear()
    rows = merge_ledgers([read_ledger(path) for path in earlier])
    wanted = read_usable_clips(clips, rows)
    with ExitStack() as stack:
        parts: dict[str, list[Part]] = {clip.clip_id: [] for clip in wanted}
        for member in sorted(members, key=lambda member: member.journal):
            stack.enter_context(lock_journal(member.journal))
            for clip_id, part in _find_open_parts(member, wanted, retries):
                parts[clip_id].append(part)
        shared = [clip for clip in wanted if len(parts[clip.clip_id]) > 1]
        tasks = [GroupTask(clip, tuple(parts[clip.clip_id])) for clip in shared]
        print(f"encode_group: {len(wanted)} clips, {len(tasks)} to be shared", flush=True)
        for _ in print_progress(_work(tasks, members, workers), len(tasks)):
            pass
    return len(tasks)


def _work(
    tasks: Sequence[GroupTask], members: Sequence[GroupMember], workers: int
) -> Iterable[tuple[GroupTask, ClipError | None]]:
    if any(member.settings.device != "cpu" for member in members):
        decoded = run_clips(
            decode_parts, tasks, workers=workers, preload=[__name__], file_of=_file_of
        )
        return _encode_on_device(decoded)
    modules = {name for member in members for name in list_encoder_modules(member.settings)}
    preload = [__name__, *sorted(modules)]
    return run_clips(encode_parts, tasks, workers=workers, preload=preload, file_of=_file_of)


def _file_of(task: GroupTask) -> str:
    return task.clip.path


def _find_open_parts(
    member: GroupMember, wanted: Sequence[Clip], retries: Retries
) -> Iterator[tuple[str, Part]]:
    """Yield (clip id, part) of the clips that a recipe lacks."""
    keyed: Mapping[str, Clip] = key_clips(
        wanted, member.result, sha256_file(member.settings.weights)
    )
    # A finished job's journal stays sealed: nobody would seal it again.
    if keyed.keys() <= find_settled_keys(member.journal, retries):
        return
    book = Journal(member.journal, stage=STAGE, retries=retries, keys=keyed, split=split_codes)
    for key in book.open_keys(keyed):
        yield keyed[key].clip_id, Part(member.recipe, member.settings, book.path(key))
