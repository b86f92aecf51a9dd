"""How fast clips are cut, against one start of the ffmpeg program per clip.

Cuts windows of ten seconds out of a video (without one: five minutes of moving texture at 320x240, with
sound) and prints processor seconds per clip and ratios.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.trims [VIDEO] [CLIPS]
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from reelpack.clips.cut.clip import CUTS, cut_clip
from reelpack.video.index import index_video
from tests.support.clips import write_clip
from tests.support.measuring import bench_parser, cpu_seconds

SECONDS = 10.0


def program(path: Path, target: Path, start: float, *options: str) -> None:
    """Cut as the published scripts do."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    command += ["-ss", str(start), "-t", str(SECONDS), "-i", str(path), "-threads", "1"]
    subprocess.run([*command, *options, "-f", "mp4", str(target)], check=True)


def seconds_per_clip(cut: Callable[[float], object], starts: list[float]) -> float:
    """Return the CPU seconds of a cut."""
    return cpu_seconds(lambda: [cut(start) for start in starts]) / len(starts)


def main() -> None:
    """Measure and print."""
    parser = bench_parser(__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("clips", nargs="?", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "cut.mp4"
        path = args.video or Path(scratch) / "long.mp4"
        if args.tiny:
            write_clip(path, frames=300, gop=50, audio_seconds=12)
        elif args.video is None:
            write_clip(path, frames=7500, width=320, height=240, gop=250, audio_seconds=300)
        count = 1 if args.tiny else args.clips
        last = max(index_video(path).duration_seconds - SECONDS, 0.0)
        starts = [last * number / count + 0.013 for number in range(count)]
        copying = ("-c", "copy")
        encoding = ("-c:v", "libx264", "-c:a", "copy")
        for how, options in zip(CUTS, (encoding, copying), strict=True):
            ours = seconds_per_clip(
                lambda start, how=how: cut_clip(  # type: ignore[misc]
                    path, target, how=how, start_seconds=start, end_seconds=start + SECONDS
                ),
                starts,
            )
            theirs = seconds_per_clip(
                lambda start, options=options: program(path, target, start, *options),  # type: ignore[misc]
                starts,
            )
            print(
                f"{how}: {ours:.3f} CPU s per clip, program {theirs:.3f} s, ratio {theirs / ours:.2f}"
            )


if __name__ == "__main__":
    main()
