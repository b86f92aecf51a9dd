"""Which lossless picture codec frame shards should use: size and time per picture, as ratios to PNG level 1.

Pictures: 64 frames of a folder of clips at shorter side 224, or of the demo's clips when none is given.

    PYTHONPATH=scripts .venv/bin/python -m tests.bench.codecs [--clips DIR]
"""

import io
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from reelpack.core.errors import ClipError
from reelpack.demo.write_demo import write_demo
from reelpack.lists.folders import walk_videos
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.sampling import Sampling
from tests.support.clips import write_clip
from tests.support.measuring import bench_parser

CODECS = {
    "png level 1": ("PNG", {"compress_level": 1}),
    "png level 0": ("PNG", {"compress_level": 0}),
    "png level 6": ("PNG", {"compress_level": 6}),
    "webp lossless, method 0": ("WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm (raw)": ("PPM", {}),
}


def pictures(folder: Path) -> list[np.ndarray]:
    """Decode up to 64 frames, uint8[H,W,3]."""
    found: list[np.ndarray] = []
    scales = [Scale(shorter_side=224, square=None, scaler="bicubic")]
    sampling = Sampling(fps=Fraction(2), uniform=None, every=False, first=None, at_least=None)
    for entry in walk_videos(folder):
        try:
            frames = decode_frames(Path(entry.path), sampling=sampling, scales=scales)
            found += [frame.pixels[0] for frame in frames]
        except ClipError:
            continue
    return found[:64]


def measure(frames: list[np.ndarray], kind: str, options: dict) -> tuple[float, float, int]:
    """Return seconds to encode, seconds to decode, and bytes."""
    start = time.perf_counter()
    files = []
    for frame in frames:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, kind, **options)
        files.append(stream.getvalue())
    middle = time.perf_counter()
    back = [np.asarray(Image.open(io.BytesIO(data))) for data in files]
    end = time.perf_counter()
    assert all(np.array_equal(a, b) for a, b in zip(frames, back, strict=True))
    return middle - start, end - middle, sum(map(len, files))


def main() -> None:
    """Measure and print a table."""
    parser = bench_parser(__doc__)
    parser.add_argument("--clips", type=Path, help="folder of clips (default: the demo's)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if args.tiny:
            write_clip(Path(scratch) / "clip.mp4")
        elif args.clips is None:
            write_demo(Path(scratch))
        frames = pictures(args.clips or Path(scratch))
    base = measure(frames, *CODECS["png level 1"])
    print(f"{'codec':26}{'encode':>8}{'decode':>8}{'bytes':>8}   ({len(frames)} pictures)")
    for name, codec in CODECS.items():
        ratios = [a / b for a, b in zip(measure(frames, *codec), base, strict=True)]
        print(f"{name:26}" + "".join(f"{ratio:8.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
