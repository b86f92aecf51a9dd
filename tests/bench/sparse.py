"""How much faster a few frames of a clip come than by decoding all of them to pictures and picking.

Compares, one process each and at the same choice of frames, VIOLET's five JPEG frames per clip
(a) by planned decoding, (b) as its script takes them: every frame of the file becomes a Pillow picture.
Clips: those of a folder, if given, and one of some minutes that is made here. Prints times and
their ratio; above 1 means that planned decoding is faster.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.sparse [--clips DIR] [--minutes 10]
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.jpeg import jpeg_pixels
from reelpack.video.sampling import Sampling
from tests.support.measuring import bench_parser, peak_mib, wall_seconds

COUNT = 5


def planned(path: Path) -> list[bytes]:
    """Five JPEG files by planned decoding."""
    frames = decode_frames(path, sampling=Sampling(violet=COUNT), scales=[Scale(jpeg=75)])
    return [image for frame in frames for image in frame.images if isinstance(image, bytes)]


def everything(path: Path) -> list[bytes]:
    """Five JPEG files by making a picture of every frame."""
    with av.open(str(path)) as container:
        pictures = [frame.to_image().convert("RGB") for frame in container.decode(video=0)]
    step = len(pictures) / (COUNT + 1)
    found = []
    for number in range(1, COUNT + 1):
        stream = io.BytesIO()
        pictures[int(step * number)].save(stream, format="JPEG")
        found.append(stream.getvalue())
    return found


def made_clip(folder: Path, minutes: float) -> Path:
    """A clip as video sites keep them: x264, 426x240, a keyframe every five seconds."""
    path = folder / f"made_{minutes:g}_minutes.mp4"
    source = f"testsrc2=size=426x240:rate=25:duration={minutes * 60},noise=alls=8:allf=t"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "28", "-g", "125"]
    subprocess.run([*command, *coding, "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


def measure(way: Callable[[Path], list[bytes]], path: Path) -> tuple[list[bytes], float, float]:
    """Return the frames, seconds, and the process's peak memory in MB."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (way, path))


def _measured(way: Callable[[Path], list[bytes]], path: Path) -> tuple[list[bytes], float, float]:
    found: list[bytes] = []
    seconds = wall_seconds(lambda: found.extend(way(path)))
    return found, seconds, peak_mib()


def main() -> None:
    """Run the comparison and print a line per clip."""
    parser = bench_parser(__doc__)
    parser.add_argument("--clips", type=Path, help="folder of clips")
    parser.add_argument("--minutes", type=float, default=10, help="length of the made clip")
    args = parser.parse_args()
    if args.tiny:
        args.minutes = 0.1
    paths = sorted(args.clips.glob("video*.mp4")) if args.clips else []
    with tempfile.TemporaryDirectory() as folder:
        for path in [*paths, made_clip(Path(folder), args.minutes)]:
            mine, fast, small = measure(planned, path)
            others, slow, large = measure(everything, path)
            pairs = [
                (jpeg_pixels(a).astype(int), jpeg_pixels(b))
                for a, b in zip(mine, others, strict=True)
            ]
            difference = max(float(np.abs(a - b).mean()) for a, b in pairs)
            print(
                f"{path.name}: planned {fast:.2f} s, {small:.0f} MB; everything {slow:.2f} s,"
                f" {large:.0f} MB; ratio {slow / fast:.1f}; largest mean difference of a frame"
                f" {difference:.2f} of 255"
            )


if __name__ == "__main__":
    main()
