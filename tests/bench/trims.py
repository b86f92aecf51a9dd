"""How fast clips are cut, against one start of the ffmpeg program per clip.

    PYTHONPATH=scripts:. .venv/bin/python tests/bench/trims.py [VIDEO] [CLIPS]

Cuts windows of ten seconds out of a video (without one: five minutes of moving texture at 320x240, with
sound) and prints processor seconds per clip and ratios.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from reelpack.clips.cut.clip import CUTS, cut_clip
from reelpack.video.index import index_video
from tests.support.clips import write_clip

SECONDS = 10.0


def program(path: Path, target: Path, start: float, *options: str) -> None:
    """Cut as the published scripts do."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    command += ["-ss", str(start), "-t", str(SECONDS), "-i", str(path), "-threads", "1"]
    subprocess.run([*command, *options, "-f", "mp4", str(target)], check=True)


def cpu_seconds() -> float:
    """Processor time of this process and of the programs that it has run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def seconds_per_clip(cut: Callable[[float], object], starts: list[float]) -> float:
    begin = cpu_seconds()
    for start in starts:
        cut(start)
    return (cpu_seconds() - begin) / len(starts)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "cut.mp4"
        if len(sys.argv) > 1:
            path = Path(sys.argv[1])
        else:
            path = Path(scratch) / "long.mp4"
            write_clip(path, frames=7500, width=320, height=240, gop=250, audio_seconds=300)
        count = int(sys.argv[2]) if len(sys.argv) > 2 else 10
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
