"""The demo's clips: a list of small files that covers what real collections hold.

Several codecs and containers, B-frames, variable frame rate, rotation, odd sizes, 10-bit and
full-range colour. Two of them are broken on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from reelpack.core.errors import FailureClass
from reelpack.demo.scenes import MOTIONS, Motion


@dataclass(frozen=True)
class DemoClip:
    """One demo file.

    Attributes:
        path: relative to the demo folder; the first part is the class folder.
        caption: one sentence on what is seen.
        size: stored width and height in pixels.
        rate: frames per second; with `variable_rate` the mean.
        seconds: length.
        codec: FFmpeg's name of the video encoder, or None for sound only.
        pixel_format: FFmpeg's name.
        keyframe_interval: frames from one keyframe to the next.
        audio: sound codec, or None for silence.
        rotation: degrees clockwise that a player turns the stored frames by.
        variable_rate: time stamps are uneven.
        kept: fraction of the file's bytes that are written; below 1 the file is cut.
        windows: (start, end) in seconds of the samples taken from it; empty means one, the whole
            file.
        failures: the failure classes it may end in; empty when it must succeed.
    """

    path: str
    caption: str
    size: tuple[int, int] = (320, 240)
    rate: Fraction = Fraction(25)
    seconds: float = 3.0
    codec: str | None = "libx264"
    pixel_format: str = "yuv420p"
    keyframe_interval: int = 250
    audio: str | None = "aac"
    rotation: int = 0
    variable_rate: bool = False
    kept: float = 1.0
    windows: tuple[tuple[float, float], ...] = ()
    failures: tuple[FailureClass, ...] = ()

    @property
    def label(self) -> int:
        """Class index, 0 to 3: the position of the class folder in `MOTIONS`."""
        return MOTIONS.index(self.motion)

    @property
    def motion(self) -> Motion:
        """What moves, which is the class folder's name."""
        return next(motion for motion in MOTIONS if motion == self.path.partition("/")[0])


_NTSC = Fraction(30000, 1001)

DEMO_CLIPS: tuple[DemoClip, ...] = (
    DemoClip("circles/disc_25.mp4", "A disc drifts over a rough wall."),
    DemoClip("circles/disc_30.mp4", "A disc loops quickly.", rate=Fraction(30), seconds=2.5),
    DemoClip(
        "circles/disc_15.mp4",
        "A disc moves in coarse steps.",
        size=(160, 120),
        rate=Fraction(15),
        seconds=4.0,
        keyframe_interval=15,
    ),
    DemoClip(
        "circles/portrait.mp4",
        "A disc wanders in a tall picture.",
        size=(144, 256),
        rate=Fraction(30),
        seconds=2.5,
    ),
    DemoClip(
        "circles/rotated.mp4",
        "A phone held upright filmed this disc.",
        size=(256, 144),
        rotation=90,
        keyframe_interval=30,
    ),
    DemoClip(
        "circles/disc_h264.avi",
        "A disc in an old container without time stamps.",
        size=(240, 180),
        audio="mp3",
    ),
    DemoClip("waves/wave_25.mp4", "Waves pass from left to right.", size=(256, 192)),
    DemoClip(
        "waves/wave_ntsc.mp4",
        "Waves at the television rate.",
        size=(320, 180),
        rate=_NTSC,
        keyframe_interval=48,
    ),
    DemoClip(
        "waves/Größe & ñandú 波.mp4",
        'She said "look, waves!", and there they were 🌊',
        size=(240, 160),
        seconds=2.0,
    ),
    DemoClip(
        "waves/wave_mpeg4.avi",
        "Waves in a small and blocky picture.",
        size=(176, 144),
        rate=Fraction(15),
        codec="mpeg4",
        keyframe_interval=12,
        audio="mp3",
    ),
    DemoClip(
        "waves/wave_vp9.webm",
        "Waves from a web page.",
        rate=Fraction(24),
        codec="libvpx-vp9",
        audio="opus",
    ),
    DemoClip(
        "waves/wave_variable.mp4",
        "Waves filmed by a camera that could not keep its rate.",
        rate=Fraction(24),
        seconds=3.5,
        variable_rate=True,
    ),
    DemoClip("blocks/blocks_24.mp4", "Blocks slide past each other.", rate=Fraction(24)),
    DemoClip(
        "blocks/blocks_long.mp4",
        "Blocks slide for a while; two samples are cut from this file.",
        size=(256, 192),
        seconds=4.0,
        keyframe_interval=50,
        windows=((0.5, 2.0), (2.0, 3.75)),
    ),
    DemoClip(
        "blocks/blocks_hevc.mp4",
        "Blocks slide in a newer codec.",
        rate=Fraction(30),
        codec="libx265",
        seconds=2.0,
    ),
    DemoClip(
        "blocks/odd_size.webm",
        "Blocks in a picture with odd sides.",
        size=(175, 131),
        rate=Fraction(30),
        seconds=2.0,
        codec="libvpx-vp9",
        audio="opus",
    ),
    DemoClip(
        "blocks/blocks_mpeg4.mp4",
        "Blocks slide in an old codec.",
        size=(240, 180),
        rate=_NTSC,
        seconds=2.0,
        codec="mpeg4",
        keyframe_interval=12,
        audio="mp3",
    ),
    DemoClip(
        "blocks/cut_short.mp4",
        "Blocks whose second half never arrived.",
        kept=0.55,
        failures=("corrupt", "decode"),
    ),
    DemoClip("rings/rings_25.mp4", "Rings grow from the middle.", size=(160, 120), seconds=4.0),
    DemoClip(
        "rings/rings_silent.mp4",
        "Rings grow without a sound.",
        size=(240, 240),
        seconds=2.0,
        audio=None,
    ),
    DemoClip(
        "rings/ten_bit.mkv",
        "Rings in ten bits per channel.",
        size=(256, 144),
        rate=Fraction(24),
        seconds=2.0,
        codec="libx265",
        pixel_format="yuv420p10le",
        audio="opus",
    ),
    DemoClip(
        "rings/full_range.mov",
        "Rings from a stills camera.",
        size=(160, 120),
        rate=Fraction(15),
        seconds=2.0,
        codec="mjpeg",
        pixel_format="yuvj420p",
    ),
    DemoClip("rings/gray.mp4", "Rings without colour.", pixel_format="gray", seconds=2.0),
    DemoClip(
        "rings/sound_only.mp4",
        "Nothing to see here, only a tone.",
        seconds=2.0,
        codec=None,
        failures=("no_video",),
    ),
)
