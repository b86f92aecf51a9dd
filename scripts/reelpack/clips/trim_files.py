"""trim_shard where files are cut: each clip with a window becomes an mp4 file of its own.

Flows in: shard table, probes and ledger of download_shard. Flows out: the files, below the dataset's
folder of clips under its own published names; a clip table that points at them; a ledger. The files
lie outside the workflow's outputs: each one says in its comment which clip it is, and the journal
holds its checksum, so a finished one is not cut again and a changed one is.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reelpack.clips.cut.clip import CutMethod, cut_clip, measure_clip
from reelpack.clips.cut.mp4 import read_comment
from reelpack.clips.cut.window import CutFile
from reelpack.clips.table import Clip, Probe, read_clips, read_probes, write_clips
from reelpack.clips.trim import STAGE, WindowMeaning, build_clip, clip_key
from reelpack.core.errors import ClipError
from reelpack.core.files import reveal_full_disk, sha256_file, sync, write_bytes
from reelpack.core.names import NAME_BYTES, has_control, is_too_long, refused
from reelpack.core.results import canonical, digest
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import LedgerRow
from reelpack.jobs.stage import Stage, Task
from reelpack.lists.shard_table import ShardRow, read_shard
from reelpack.video.stills import is_still

_SUFFIX = ".mp4"
# What the system says of names that cannot be, or are those of another clip's folder.
_BAD_NAMES = frozenset({errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST})


@dataclass(frozen=True)
class CutSettings:
    """What cutting a clip needs.

    Attributes:
        how: see `cut.clip.cut_clip`.
        windows: see `trim.build_clip`.
        folder: the dataset's folder of clips.
        split: the split of the shard; splits of a dataset share the folder.
    """

    how: CutMethod
    windows: WindowMeaning
    folder: Path
    split: str


@dataclass(frozen=True)
class ListedVideo:
    """A row of the shard and the video that it means."""

    row: ShardRow
    probe: Probe

    @property
    def clip_id(self) -> str:
        """The clip's name."""
        return self.row.clip_id

    @property
    def path(self) -> str:
        """The video's file."""
        return self.probe.path


def clip_path(folder: Path, clip_id: str) -> Path:
    """Return where a clip's file lies: its id below the folder, as published, and `.mp4`.

    Raises:
        ClipError: refused; an id that is not a path below the folder, or too long for a file name.
    """
    parts = f"{clip_id}{_SUFFIX}".split("/")
    if any(part in {"", ".", ".."} for part in parts) or clip_id.endswith(("/", "/.", "/..")):
        raise refused(f"clip id {clip_id!r:.120} is not a path below a folder")
    if not clip_id or clip_id in {".", ".."} or has_control(clip_id):
        raise refused(f"clip id {clip_id!r:.120} names no file")
    if is_too_long(f"{clip_id}{_SUFFIX}"):
        raise refused(
            f"clip id {clip_id!r:.60}... gives a file name longer than {NAME_BYTES} bytes"
        )
    return folder.joinpath(*parts)


def cut_one(task: Task) -> None:
    """CutMethod a clip and write its row as JSON; one without a window, or of frames, is left as it is.

    Raises:
        ClipError: too_short, trim, refused, and what reading and decoding raise.
    """
    video: ListedVideo = task.item
    settings: CutSettings = task.settings
    clip = build_clip(video.row, video.probe, windows=settings.windows)
    has_window = (clip.start_seconds, clip.end_seconds) != (None, None)
    if has_window and not is_still(Path(clip.path), clip.record):
        clip = _cut_file(clip, video, settings, key=task.key)
    write_bytes(task.target, canonical(asdict(clip)).encode())


def _cut_file(clip: Clip, video: ListedVideo, settings: CutSettings, *, key: str) -> Clip:
    target = clip_path(settings.folder, clip.clip_id)
    row = video.row
    mark = {
        "key": key,
        "clip": digest(row.video, row.start_seconds, row.end_seconds),
        "split": settings.split,
    }
    try:
        cut = _find(clip, target, mark) or _make(clip, target, mark, settings)
    except OSError as error:
        if error.errno not in _BAD_NAMES:
            raise
        raise refused(f"clip id {clip.clip_id!r:.120}: {target}: {error.strerror}") from error
    return Clip(
        clip.clip_id,
        str(target),
        sha256_file(target),
        cut.start_seconds,
        cut.end_seconds,
        duration_seconds=cut.duration_seconds,
    )


def _find(clip: Clip, target: Path, mark: dict[str, str]) -> CutFile | None:
    """Return the measures of the clip's file where an earlier run has left it.

    Raises:
        ClipError: refused; the file is that of another clip, of another split.
    """
    there = _mark(target)
    if there.get("key") == mark["key"]:
        try:
            return measure_clip(
                Path(clip.path),
                target,
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
            )
        except ClipError:
            return None
    if there and there["clip"] != mark["clip"] and there["split"] != mark["split"]:
        raise refused(
            f"{target} is another clip of split {there['split']}: give clip ids that differ"
            " between splits, or remove the file if that clip no longer exists"
        )
    return None


def _mark(target: Path) -> dict[str, str]:
    """Return what a file of ours says of itself, nothing for others."""
    try:
        mark = json.loads(read_comment(target) or "{}")
    except ValueError:
        return {}
    known = isinstance(mark, dict) and {"key", "clip", "split"} <= mark.keys()
    return mark if known else {}


def _make(clip: Clip, target: Path, mark: dict[str, str], settings: CutSettings) -> CutFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder of other clips")
    # One name per clip and split: what a killed run left is written over, and nobody else's is.
    part = target.with_name(f".{digest(settings.split, clip.clip_id)}.part")
    try:
        with reveal_full_disk(target.parent):
            cut = cut_clip(
                Path(clip.path),
                part,
                how=settings.how,
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
                comment=canonical(mark),
            )
            sync(part)
            part.replace(target)
            sync(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return cut


def _intact(path: Path) -> bool:
    """Whether a finished clip's file is what its row says; one that differs is removed."""
    clip = Clip(**json.loads(path.read_bytes()))
    if clip.duration_seconds is None:
        return True
    file = Path(clip.path)
    if file.is_file() and sha256_file(file) == clip.sha256:
        return True
    print(f"{clip.clip_id}: {file} is gone or was changed; it is cut again", flush=True)
    file.unlink(missing_ok=True)
    return False


def _assemble(target: Path, clips: Sequence[tuple[str, Path]]) -> None:
    write_clips([Clip(**json.loads(path.read_bytes())) for _, path in clips], target)


def _split(
    folder: Path, rows: Sequence[LedgerRow], wanted: Collection[str]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    clips = {clip.clip_id: clip for clip in read_clips(folder / "output.parquet")}
    for row in rows:
        if row.key in wanted and row.clip_id in clips:
            yield row.key, [canonical(asdict(clips[row.clip_id])).encode()]


CUT = Stage(
    name=STAGE,
    work=cut_one,
    split=_split,
    assemble=_assemble,
    preload=("reelpack.clips.trim_files",),
    intact=_intact,
    failure="trim",
)


def cut_shard(shard: Path, probes: Path, settings: CutSettings, job: Job) -> list[LedgerRow]:
    """CutMethod a shard's clips; see `Stage.run` for what is written, `trim.trim_shard` for what is read."""
    rows = {row.clip_id: row for row in read_shard(shard)}
    videos = [ListedVideo(rows[probe.clip_id], probe) for probe in read_probes(probes)]
    wanted = {clip_key(job.result, video.row, video.probe): video for video in videos}
    return CUT.run(wanted, job, earlier=job.read_earlier(), settings=settings)
