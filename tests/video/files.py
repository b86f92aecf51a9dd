"""Files for the differential tests: many containers, codecs and habits, made by the ffmpeg program."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.video.program import run

Make = Callable[[Path], None]
# codec: (arguments of the encoder, containers, pixel formats)
CODECS: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "h264": (
        "-c:v libx264 -preset veryfast",
        ("mp4", "mkv", "ts", "avi", "flv", "mov"),
        ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuvj420p"),
    ),
    "h264_open": (
        "-c:v libx264 -preset veryfast -x264-params open-gop=1:b-pyramid=normal",
        ("mp4", "mkv", "ts"),
        ("yuv420p",),
    ),
    "h264_interlaced": (
        "-c:v libx264 -preset veryfast -flags +ildct+ilme",
        ("mp4", "ts"),
        ("yuv420p",),
    ),
    "hevc": (
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:pools=none:frame-threads=1",
        ("mp4", "mkv", "ts"),
        ("yuv420p", "yuv422p10le", "yuv420p12le"),
    ),
    "mpeg4": ("-c:v mpeg4 -bf 2", ("mp4", "avi", "mkv", "mov"), ("yuv420p",)),
    "mpeg4_simple": ("-c:v mpeg4 -bf 0", ("mp4", "avi", "3gp"), ("yuv420p",)),
    "mpeg2": ("-c:v mpeg2video -bf 2", ("mpg", "ts", "mkv", "vob"), ("yuv420p", "yuv422p")),
    "mpeg1": ("-c:v mpeg1video -bf 2", ("mpg",), ("yuv420p",)),
    "vp8": ("-c:v libvpx -deadline realtime -cpu-used 8", ("webm", "mkv"), ("yuv420p",)),
    "vp9": (
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 8 -auto-alt-ref 1",
        ("webm", "mp4", "mkv"),
        ("yuv420p", "yuv444p"),
    ),
    "av1": ("-c:v libsvtav1 -preset 12 -svtav1-params lp=1", ("mp4", "mkv", "webm"), ("yuv420p",)),
    "mjpeg": ("-c:v mjpeg", ("avi", "mov", "mkv"), ("yuvj420p", "yuvj422p")),
    "prores": ("-c:v prores_ks", ("mov", "mkv"), ("yuv422p10le", "yuva444p10le")),
    "ffv1": ("-c:v ffv1", ("mkv", "avi"), ("yuv420p", "gray", "yuv444p12le", "bgra")),
    "png": ("-c:v png", ("mov",), ("rgba", "rgb24")),
    "wmv2": ("-c:v wmv2", ("wmv", "avi"), ("yuv420p",)),
    "theora": ("-c:v libtheora", ("ogv",), ("yuv420p",)),
    "gif": ("", ("gif",), ("pal8",)),
}
RATES = ("25", "30000/1001", "12", "50")
HABITS = (
    "plain", "plain", "sound", "offset", "late", "vfr", "cut", "cut", "joined", "turned", "still",
)  # fmt: skip
# What a container cannot hold, or the program cannot write into it.
_STEADY = frozenset({"mpg", "vob", "mpeg2", "mpeg1", "gif"})
_SOUND = {"ts": "mp2", "mpg": "mp2", "vob": "mp2", "avi": "mp3", "webm": "libopus", "ogv": "flac"}
_SILENT = frozenset({"gif", "3gp", "wmv"})


@dataclass(frozen=True)
class Recipe:
    """One file: how it is encoded, and what happens to it then.

    Args:
        habit: one of `HABITS`.
        seed: of everything that is left to chance.
    """

    codec: str
    container: str
    pixels: str
    rate: str
    habit: str
    seed: int

    @property
    def name(self) -> str:
        """A file's name, which differs from all others'."""
        rate = self.rate.partition("/")[0]
        words = (f"{self.seed:04d}", self.codec, self.pixels, rate, self.habit)
        return f"{'_'.join(words)}.{self.container}"

    def write(self, folder: Path) -> Path:
        """Write the file, and return its path."""
        path = folder / self.name
        chance = random.Random(self.seed)
        source = folder / f"source_{self.name}"
        if self.habit == "cut":
            self._encode(source, chance, seconds=5)
            start = f"{chance.uniform(0.3, 1.7):.3f}"
            where = ["-ss", start] if chance.random() < 0.7 else []
            end = ["-t", f"{chance.uniform(1, 2):.3f}"]
            run(*where, "-i", source, *end, "-c", "copy", path)
        elif self.habit == "joined":
            self._join(path, source, chance)
        else:
            self._encode(path, chance, seconds=2)
        source.unlink(missing_ok=True)
        return path

    def _encode(self, path: Path, chance: random.Random, *, seconds: float) -> None:
        size = f"{chance.choice((64, 96, 128))}x{chance.choice((48, 64, 72))}"
        source = f"testsrc2=size={size}:rate={self.rate}:duration={seconds}"
        chain = [f"noise=alls=9:all_seed={self.seed}", f"format={self.pixels}"]
        before: list[str] = []
        after: list[str] = []
        if self.codec == "gif":
            chain = [chain[0], "split[a][b];[a]palettegen[p];[b][p]paletteuse"]
        if self.habit == "vfr" and self.codec not in _STEADY:
            chain.insert(0, "select='not(mod(n\\,3))+gt(random(1)\\,0.5)'")
            after += ["-fps_mode", "vfr"]
        if self.habit == "still" and self.codec not in _STEADY:
            chain.insert(0, "select='lt(t\\,0.5)+gt(t\\,1.5)'")
            after += ["-fps_mode", "vfr"]
        if self.habit in ("sound", "late") and self.container not in _SILENT:
            before = ["-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=44100"]
            after += ["-c:a", _SOUND.get(self.container, "aac")]
        if self.habit == "offset":
            after += ["-output_ts_offset", f"{chance.uniform(0.5, 3):.2f}"]
        late = ["-itsoffset", "0.7"] if self.habit == "late" else []
        gops = (5, 12) if self.habit == "cut" else (5, 12, 250)
        gop = "" if self.codec == "gif" else f"-g {chance.choice(gops)} -threads 1"
        encoder = f"{CODECS[self.codec][0]} {gop}".split()
        turned = path.with_name(f"upright_{path.name}") if self.habit == "turned" else path
        run(
            *late, "-f", "lavfi", "-i", source, *before, "-vf", ",".join(chain),
            *encoder, *after, "-strict", "-2", turned,
        )  # fmt: skip
        if turned != path:
            turn = ["-display_rotation", chance.choice(("90", "180", "270"))]
            turn += chance.choice(([], ["-display_hflip"], ["-display_vflip"]))
            run(*turn, "-i", turned, "-c", "copy", path)
            turned.unlink()

    def _join(self, path: Path, source: Path, chance: random.Random) -> None:
        part = source.with_name(f"part_{source.name}")
        self._encode(source, chance, seconds=1)
        run("-ss", "0.3", "-i", source, "-c", "copy", part)
        if self.container in ("ts", "mpg", "vob"):
            path.write_bytes(source.read_bytes() + part.read_bytes())
        else:
            listing = path.with_suffix(".txt")
            listing.write_text(f"file '{source}'\nfile '{part}'\n", encoding="utf-8")
            run("-f", "concat", "-safe", "0", "-i", listing, "-c", "copy", path)
            listing.unlink()
        part.unlink()


def recipes(count: int, *, seed: int = 0) -> list[Recipe]:
    """`count` different files: each codec, container and habit in turn, the rest by chance."""
    chance = random.Random(seed)
    pairs = [(c, k) for c, (_, containers, _) in CODECS.items() for k in containers]
    chance.shuffle(pairs)
    habits = itertools.cycle(HABITS)
    return [
        Recipe(
            codec=codec,
            container=container,
            pixels=chance.choice(CODECS[codec][2]),
            rate=chance.choice(RATES[:2] if codec in _STEADY else RATES),
            habit=next(habits),
            seed=seed + number,
        )
        for number, (codec, container) in zip(range(count), itertools.cycle(pairs), strict=False)
    ]


def mutants(path: Path, *, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged copies of a file: (what was done, content)."""
    whole = path.read_bytes()
    chance = random.Random(seed)
    for number in range(count):
        content = bytearray(whole)
        kind = ("flip", "zero", "cut", "head", "tail", "end")[(seed + number) % 6]
        span = (0, len(whole))
        if kind == "head":
            span = (0, min(len(whole), 400))
        elif kind == "tail":
            span = (max(0, len(whole) - 400), len(whole))
        start = chance.randrange(*span)
        length = chance.choice((1, 16, 188, 1000))
        if kind == "zero":
            content[start : start + length] = bytes(len(content[start : start + length]))
        elif kind == "cut":
            del content[start : start + length]
        elif kind == "end":
            del content[max(1, start) :]
        else:
            for _ in range(chance.choice((1, 4))):
                content[chance.randrange(*span)] ^= 1 << chance.randrange(8)
        yield kind, bytes(content)
