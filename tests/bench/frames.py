"""How much faster frames come by plan than by one ffmpeg program per clip.

Compares, on the same clips, with the same number of processes and equal pixels demanded:
(a) one probe and one start of the ffmpeg program for each clip, as the seed systems do,
(b) decoding everything in process and picking, (c) decoding everything and doing nothing with it.
Prints times relative to planned decoding: above 1 means that planned decoding is faster.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.frames [--clips DIR] [--processes 2] [--repeats 3]
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Crop, Scale, crop_frame, crop_offset, scaled_size
from reelpack.video.sampling import Sampling
from tests.support.clips import write_clip
from tests.support.measuring import bench_parser

SIDE, CROP = 320, Crop(256)
FPS2, UNIFORM5 = Sampling(fps=Fraction(2)), Sampling(uniform=5)
Way = Callable[[Path], list[int]]


@dataclass(frozen=True)
class Decoded:
    """Takes one clip's frames in process and gives a checksum of each."""

    sampling: Sampling
    planned: bool

    def __call__(self, path: Path) -> list[int]:
        frames = decode_frames(
            path,
            sampling=self.sampling,
            scales=[Scale(shorter_side=SIDE)],
            planned=self.planned,
        )
        return [zlib.crc32(crop_frame(frame.pixels[0], CROP)) for frame in frames]


@dataclass(frozen=True)
class Program:
    """Takes one clip's frames by starting programs and reading a pipe."""

    ffmpeg: str
    ffprobe: str | None

    def __call__(self, path: Path) -> list[int]:
        width, height = self._size(path)
        wide, high = scaled_size(width, height, shorter_side=SIDE)
        x, y = crop_offset(wide, high, size=CROP.size, position=CROP.position)
        filters = f"fps=2,scale={wide}:{high}:flags=bicubic,crop={CROP.size}:{CROP.size}:{x}:{y}"
        command = [self.ffmpeg, "-v", "error", "-nostdin", "-i", str(path), "-vf", filters]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        frames = np.frombuffer(output, np.uint8).reshape(-1, CROP.size, CROP.size, 3)
        return [zlib.crc32(frame) for frame in frames]

    def _size(self, path: Path) -> tuple[int, int]:
        if self.ffprobe is None:
            with av.open(str(path)) as container:
                context = container.streams.video[0].codec_context
                return context.width, context.height
        command = [self.ffprobe, "-v", "error", "-show_format", "-show_streams", "-of", "json"]
        output = subprocess.run([*command, str(path)], check=True, stdout=subprocess.PIPE).stdout
        video = next(s for s in json.loads(output)["streams"] if s["codec_type"] == "video")
        return video["width"], video["height"]


def bare_decode(path: Path) -> list[int]:
    """Decode everything with one thread and look at nothing."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        context.thread_type, context.thread_count = "NONE", 1
        return [0 for _ in container.decode(video=0)]


def made_clips(folder: Path, *, tiny: bool) -> Iterator[Path]:
    """Ten-second clips as video sites make them: x264, B-pyramid, frames kept for seconds."""
    kinds = [("veryfast", 50), ("medium", 125), ("medium", 50)]
    for number, (preset, gop) in enumerate(kinds[:1] if tiny else kinds):
        yield write_clip(
            folder / f"made{number}.mp4",
            frames=50 if tiny else 250,
            width=640,
            height=360,
            gop=gop,
            b_frames=3,
            audio_seconds=10,
            encoder_options={"preset": preset, "x264-params": "b-pyramid=normal:crf=26"},
        )


def usable(paths: list[Path]) -> list[Path]:
    """Clips that the library can read, in order."""
    kept = []
    for path in paths:
        try:
            Decoded(FPS2, planned=True)(path)
            kept.append(path)
        except ClipError as error:
            print(f"left out: {error}")
    return kept


def measure(
    ways: dict[str, Way], paths: list[Path], *, processes: int, repeats: int
) -> dict[str, float]:
    """Median seconds of each way over all clips, four times each; the ways take turns."""
    # A short list would measure how the last clips happen to fall on the processes.
    paths = paths * 4
    times: dict[str, list[float]] = {name: [] for name in ways}
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(bare_decode, paths))
        for _ in range(repeats):
            for name, way in ways.items():
                start = time.perf_counter()
                list(pool.map(way, paths))
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, times: dict[str, float], *, base: str) -> None:
    """Print one line with each way's time relative to `base`."""
    parts = [f"{name} {seconds / times[base]:.2f}" for name, seconds in times.items()]
    print(f"{title}: {'; '.join(parts)} ({times[base]:.2f} s = 1)")


def main() -> None:
    """Run the comparison and print the ratios."""
    parser = bench_parser(__doc__)
    parser.add_argument("--clips", type=Path, help="folder of clips; default: some are made")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.processes, arguments.repeats = 1, 1
    with tempfile.TemporaryDirectory() as folder:
        if arguments.clips is None:
            paths = list(made_clips(Path(folder), tiny=arguments.tiny))
        else:
            paths = usable(sorted(p for p in arguments.clips.iterdir() if p.is_file()))
        programs = {"imageio-ffmpeg": imageio_ffmpeg.get_ffmpeg_exe()}
        if found := shutil.which("ffmpeg"):
            programs["ffmpeg on PATH"] = found
        ways: dict[str, Way] = {"planned": Decoded(FPS2, planned=True)}
        for name, program in programs.items():
            ways[f"(a) {name}"] = Program(program, shutil.which("ffprobe"))
        ways["(b) everything"] = Decoded(FPS2, planned=False)
        expected = [ways["planned"](path) for path in paths]
        for name, way in ways.items():
            assert [way(path) for path in paths] == expected, f"{name}: other pixels"
        print(f"{len(paths)} clips, {arguments.processes} processes, pixels equal in all ways")
        ways["(c) bare decode"] = bare_decode
        options = {"processes": arguments.processes, "repeats": arguments.repeats}
        report("fps 2", measure(ways, paths, **options), base="planned")
        ways = {
            "planned": Decoded(UNIFORM5, planned=True),
            "(b) everything": Decoded(UNIFORM5, planned=False),
            "(c) bare decode": bare_decode,
        }
        report("5 uniform", measure(ways, paths, **options), base="planned")


if __name__ == "__main__":
    main()
