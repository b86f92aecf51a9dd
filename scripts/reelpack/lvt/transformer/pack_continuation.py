"""Continue the first videos of a pack of codes: samples as pictures and videos, figures, one sheet.

Flows in: an `lvt_codes` pack, its VQ-VAE and a transformer. Flows out, in one folder that is put in
place as a whole: `{video folder as in the pack}/sample_{k}/` with frames and mp4, samples.csv and
samples.png. Codes that were drawn go into a journal, so that a killed run draws none of them again.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from reelpack.core.arrays import Frame
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.core.results import digest
from reelpack.core.whole_folder import replace_folder
from reelpack.lvt.codec import Codec, Codes, decode_video
from reelpack.lvt.transformer.code_sampling import DrawSettings, draw_videos
from reelpack.lvt.transformer.likelihood import measure_bits
from reelpack.lvt.transformer.model import VideoTransformer
from reelpack.lvt.transformer.sample_files import (
    SHEET,
    write_sample,
    write_sheet,
)
from reelpack.packs.lvt_codes import LvtVideo, LvtVideos

TABLE = "samples.csv"
COLUMNS = ("clip_id", "sample", "frames", "primed", "equal_codes", "bits_per_dim")
# Draws are made for so many samples at a time, the last of them repeated where there are fewer: sums
# in batches of another size may differ in their last bit, and a draw with them.
BATCH = {"cpu": 8, "cuda": 64}
# A picture of hundreds of rows helps nobody.
SHEET_VIDEOS = 32


@dataclass(frozen=True)
class SampleSettings:
    """What is generated.

    Attributes:
        clips: how many videos are continued, the first ones that are long enough.
        primed: frames of a video that its samples start from.
        length: frames of a sample, the primed ones among them.
        samples: samples of each video.
        temperature: divides the scores; 0 takes the likeliest codes.
        seed: of the draws.
        fps: pace of the videos.
    """

    clips: int = 8
    primed: int = 5
    length: int = 16
    samples: int = 1
    temperature: float = 1.0
    seed: int = 0
    fps: int = 8

    def __post_init__(self) -> None:
        for field in fields(self):
            low = 0 if field.name in ("temperature", "seed") else 1
            value = getattr(self, field.name)
            if not low <= value < float("inf"):
                raise UserError(f"{field.name}: {value}; allowed: at least {low}")
        if self.primed > self.length:
            raise UserError(
                f"primed: {self.primed}; allowed: at most length ({self.length}), the frames of a"
                " sample"
            )


@dataclass(frozen=True)
class PrimedVideo:
    """A video of a pack that is continued; `codes` is int64[T, codebooks, h, w]."""

    entry: LvtVideo
    codes: Codes


def continue_pack(
    pack: Path,
    codec: Codec,
    model: VideoTransformer,
    settings: SampleSettings,
    *,
    journal: Path,
    output: Path,
) -> None:
    """Continue the first videos of a pack, in the order of its `videos.csv`.

    A sample depends on the models, the seed, the video and the sample's number alone.

    Args:
        pack: an `lvt_codes` pack.
        codec: the VQ-VAE that its codes are of.
        model: the transformer, in evaluation mode on the device it computes on.
        settings: what is generated.
        journal: folder for the codes of finished samples.
        output: the folder that is replaced.

    Raises:
        UserError: it is not such a pack, no video is long enough, or the codes do not suit the model.
    """
    videos = choose_videos(pack, settings)
    drawn = draw_samples(videos, model, settings, journal=journal)
    rows: list[tuple[str, Frame]] = []
    table: list[Mapping[str, Any]] = []
    with replace_folder(output) as folder:
        for number, video in enumerate(videos):
            bits = measure_video(video, model, settings)
            own = decode_video(codec, video.codes[: settings.length])
            rows.append((f"{video.entry.clip_id}, its own codes", own))
            for sample, codes in enumerate(drawn[number]):
                frames = decode_video(codec, codes)
                place = folder / video.entry.folder / f"sample_{sample}"
                write_sample(place, frames, fps=settings.fps)
                rows.append((f"sample {sample}", frames))
                equal = compare_codes(codes, video.codes, primed=settings.primed)
                table.append(_make_row(video, sample, settings, equal=equal, bits=bits))
        shown = SHEET_VIDEOS * (1 + settings.samples)
        write_sheet(folder / SHEET, rows[:shown], primed=settings.primed)
        _write_table(folder / TABLE, table)


def choose_videos(pack: Path, settings: SampleSettings) -> list[PrimedVideo]:
    """Return the first videos that have the primed frames, with a line on those that have not.

    Raises:
        UserError: it is not a pack of codes, or no video is long enough.
    """
    try:
        known = LvtVideos(pack)
        chosen: list[PrimedVideo] = []
        short = 0
        for number in range(len(known)):
            if len(chosen) == settings.clips:
                break
            entry = known.video(number)
            if entry.frames < settings.primed:
                short += 1
            else:
                chosen.append(PrimedVideo(entry, known[number][1]))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{pack}: not a pack of codes: {error}") from error
    if short:
        print(f"{short} videos have fewer than {settings.primed} frames and are passed over")
    if not chosen:
        raise UserError(f"{pack}: none of {len(known)} videos has {settings.primed} frames")
    return chosen


def draw_samples(
    videos: Sequence[PrimedVideo],
    model: VideoTransformer,
    settings: SampleSettings,
    *,
    journal: Path,
) -> list[list[Codes]]:
    """Return the codes of every sample of every video, int64[length, codebooks, h, w] each."""
    made_by = [settings.seed, settings.temperature, settings.length, _sum_parameters(model)]
    tasks = [
        _Task(video, sample, journal / f"{digest(made_by, _identify(video, settings), sample)}.npy")
        for video in videos
        for sample in range(settings.samples)
    ]
    left = [task for task in tasks if not task.path.is_file()]
    with tqdm(total=len(left), unit="sample", desc="generate") as bar:
        for some in _group_tasks(left, BATCH[next(model.parameters()).device.type]):
            for task, codes in zip(some, _draw(some, model, settings), strict=False):
                with replace_file(task.path) as temporary, temporary.open("wb") as file:
                    np.save(file, codes, allow_pickle=False)
                bar.update()
    kept = {task.path for task in tasks}
    for other in set(journal.glob("*")) - kept:
        other.unlink()
    found = iter([np.load(task.path, allow_pickle=False) for task in tasks])
    return [[next(found) for _ in range(settings.samples)] for _ in videos]


def compare_codes(drawn: Codes, own: Codes, *, primed: int) -> float | None:
    """Return which share of the drawn codes the video has too, None where it is shorter."""
    if len(own) < len(drawn) or len(drawn) == primed:
        return None
    return float(np.mean(drawn[primed:] == own[primed : len(drawn)]))


def measure_video(
    video: PrimedVideo, model: VideoTransformer, settings: SampleSettings
) -> float | None:
    """Return bits per dimension of the video's own codes behind the primed frames.

    None where the video is shorter than a sample, or nothing is behind them.
    """
    if len(video.codes) < settings.length or settings.length == settings.primed:
        return None
    codes = torch.from_numpy(video.codes[: settings.length]).transpose(0, 1)[None]
    return measure_bits(model, [codes], primed_frames=settings.primed)


@dataclass(frozen=True)
class _Task:
    """One sample to draw; `path` is its place in the journal."""

    video: PrimedVideo
    sample: int
    path: Path


def _group_tasks(tasks: Sequence[_Task], size: int) -> Iterator[list[_Task]]:
    """Yield tasks of videos of one size, as many at a time as are drawn together."""
    shapes = {task.video.codes.shape[1:] for task in tasks}
    for shape in sorted(shapes):
        alike = [task for task in tasks if task.video.codes.shape[1:] == shape]
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


def _draw(tasks: Sequence[_Task], model: VideoTransformer, settings: SampleSettings) -> Codes:
    """Return int64[B, length, codebooks, h, w], B at least the number of tasks."""
    device = next(model.parameters()).device
    filled = [*tasks, *[tasks[-1]] * (BATCH[device.type] - len(tasks))]
    given = np.stack([task.video.codes[: settings.primed] for task in filled])
    # A sample's draws follow from its video and number, whatever else is drawn.
    numbers = [int(digest(task.video.entry.clip_id, task.sample), 16) for task in filled]
    drawn = draw_videos(
        model,
        torch.from_numpy(given).transpose(1, 2).to(device),
        DrawSettings(settings.length, settings.seed, numbers, settings.temperature),
    )
    return drawn.transpose(1, 2).cpu().numpy()


def _identify(video: PrimedVideo, settings: SampleSettings) -> list[str]:
    """Return what stands for a video and its primed codes."""
    codes = np.ascontiguousarray(video.codes[: settings.primed])
    shape = "x".join(map(str, codes.shape))
    return [video.entry.clip_id, shape, hashlib.sha256(codes.tobytes()).hexdigest()]


def _sum_parameters(model: VideoTransformer) -> str:
    """Return what stands for a model's parameters and the kind of device they lie on."""
    found = hashlib.sha256(next(model.parameters()).device.type.encode())
    for name, tensor in model.state_dict().items():
        found.update(name.encode())
        found.update(tensor.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _make_row(
    video: PrimedVideo,
    sample: int,
    settings: SampleSettings,
    *,
    equal: float | None,
    bits: float | None,
) -> dict[str, Any]:
    return {
        "clip_id": video.entry.clip_id,
        "sample": sample,
        "frames": settings.length,
        "primed": settings.primed,
        "equal_codes": "" if equal is None else f"{equal:.6f}",
        "bits_per_dim": "" if bits is None else f"{bits:.6f}",
    }


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
        table.writeheader()
        table.writerows(rows)
