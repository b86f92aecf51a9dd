"""Which frames of a clip a recipe takes: its `frames`, read once into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from reelpack.config.windows import FeatureWindows
from reelpack.core.errors import UserError

RULES = ("fps", "uniform", "every", "violet", "favd", "windows")
_LIMITS = ("first", "uniform", "violet", "favd")


@dataclass(frozen=True)
class Sampling:
    """A rule that chooses frames; exactly one of `RULES` is given.

    Args:
        fps: frames per second, as ffmpeg's `fps` filter with its default rounding (near).
        uniform: this many frames, the middles of as many equal parts; a short clip repeats some.
        every: each shown frame.
        violet: this many frames, the inner ends of one part more; a short clip repeats some.
            Source: github tsujuifu/pytorch_violet, _tools.
        favd: this many frames, as ffmpeg's `fps` filter at `favd` / duration chooses them; what
            it gives beyond is left out, what it gives less is made up by repeating the last.
            Source: github OpenNLPLab/FAVDBench, AVLFormer/data_prepro.
        windows: the frames of HERO's windows, one window after another; neither `first` nor
            `at_least` goes with it.
        first: keep at most the first n of what the rule chose.
        at_least: a clip that gives fewer than n frames is "too_short".
        stream: of a file with several video streams, see `video.source.Source`.
        damage: "chosen": only what the chosen frames need is decoded, and judged, where the index
            allows; "strict": damage anywhere in the clip fails it.
        decoder: "library": libav, in this process; "program": the ffmpeg program.
        program: path of the ffmpeg program; "" is that of imageio-ffmpeg.

    Raises:
        UserError: keys that do not go together.
    """

    fps: Fraction | None = None
    uniform: int | None = None
    every: bool = False
    violet: int | None = None
    favd: int | None = None
    windows: FeatureWindows | None = None
    first: int | None = None
    at_least: int | None = None
    stream: Literal["first", "largest"] = "first"
    damage: Literal["chosen", "strict"] = "chosen"
    decoder: Literal["library", "program"] = "library"
    program: str = ""

    def __post_init__(self) -> None:
        given = [rule for rule in RULES if getattr(self, rule) not in (None, False)]
        if len(given) != 1:
            raise UserError(f"frames: exactly one of {', '.join(RULES)}; got {given or 'none'}")
        for name in ("fps", *_LIMITS, "at_least"):
            number = getattr(self, name)
            if number is not None and number <= 0:
                raise UserError(f"frames.{name}: {number}; allowed: more than 0")
        for name in ("first", "at_least"):
            if self.windows is not None and getattr(self, name) is not None:
                raise UserError(f"frames.{name}: not with windows, which have rules of their own")
        for name, limit in self._limits.items():
            if (self.at_least or 0) > limit:
                raise UserError(
                    f"frames.at_least: {self.at_least} is larger than {name}, so that no clip would"
                    f" do; at most {limit}"
                )

    @property
    def _limits(self) -> dict[str, int]:
        found = {name: getattr(self, name) for name in _LIMITS}
        return {name: limit for name, limit in found.items() if limit is not None}

    @property
    def most(self) -> int | None:
        """Frames that it gives of a clip at most; None without a limit."""
        return min(self._limits.values(), default=None)

    @property
    def slug(self) -> str:
        """Readable, injective name, such as `fps2d3_first16`."""
        if self.fps is not None:
            rule = f"fps{_fraction_slug(self.fps)}"
        elif self.windows is not None:
            rule = f"clip{_fraction_slug(self.windows.clip_len)}"
            if self.windows.fps:
                rule += f"_{self.windows.frames}of{self.windows.fps}fps"
        else:
            (name,) = (name for name in RULES if getattr(self, name))
            rule = "every" if self.every else f"{name}{getattr(self, name)}"
        parts = [rule]
        parts += [f"first{self.first}"] if self.first is not None else []
        parts += [f"min{self.at_least}"] if self.at_least is not None else []
        parts += ["largest"] if self.stream == "largest" else []
        parts += ["strict"] if self.damage == "strict" else []
        parts += ["program"] if self.decoder == "program" else []
        return "_".join(parts)


def _fraction_slug(fraction: Fraction) -> str:
    over = "" if fraction.denominator == 1 else f"d{fraction.denominator}"
    return f"{fraction.numerator}{over}"


def read_sampling(frames: Mapping[str, Any]) -> Sampling:
    """Read what a recipe's `frames` says of which frames to take; other keys are left alone.

    Raises:
        UserError: keys that do not go together.
    """
    given = {key: frames[key] for key in Sampling.__dataclass_fields__ if key in frames}
    if "fps" in given:
        given["fps"] = Fraction(str(given["fps"]))
    if "windows" in given:
        clip_len = Fraction(str(given["windows"]["clip_len"]))
        given["windows"] = FeatureWindows(**{**given["windows"], "clip_len": clip_len})
    return Sampling(**given)
