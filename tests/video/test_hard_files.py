"""Files of kinds that people met: each gives the frames that it should, or one clear row."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from reelpack.config.sampling import Sampling
from reelpack.config.windows import FeatureWindows
from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale, scaled_size
from reelpack.video.index import index_video
from tests.support.helpers import SHARED
from tests.video import program

FOLDER = SHARED / "hard"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared hard files are not there")

FRAMES = {
    "adbreak.ts": 100,
    "concat_og.mp4": 167,
    "divx_b.mp4": 100,
    "g_var.gif": 12,
    "h264b.avi": 100,
    "h264og_cut.mp4": 75,
    "interl.mpg": 75,
    "late.ts": 100,
    "midgop.ts": 50,
    "neg.mkv": 100,
    "nokey.mp4": 75,
    "opus_2997.webm": 390,
    "ps_6s.mpg": 150,
    "sei_h264.mp4": 100,
    "vfr_copy.avi": 39,
    "vfr_gap.webm": 49,
    "vfr_mpeg4.avi": 39,
}
FAILURES = {
    "apng.png": {"refused"},
    "av1_mkv_13_fliptail.mkv": {"corrupt"},
    "ccerr.ts": {"decode"},
    "crash_10_a.gif": {"corrupt", "decode"},
    "crash_11_hevc_cut.ts": {"corrupt", "decode"},
    "crash_3_a.ogv": {"corrupt", "decode"},
    "crash_6_hevc_cut.ts": {"corrupt", "decode"},
    "h264og_cut.ts": {"decode"},
    "mjpeg_avi_24_cut.avi": {"corrupt", "decode"},
    "mpeg4_avi_20_zero.avi": {"decode"},
    "vp9_webm_19_zero.webm": {"corrupt"},
    "vp9_webm_20_zero.webm": {"corrupt"},
}
RULES: dict[str, dict[str, Any]] = {
    "every": {"every": True},
    "fps2": {"fps": Fraction(2)},
    "fps31": {"fps": Fraction(31)},
    "uniform3": {"uniform": 3},
    "uniform7": {"uniform": 7},
    "violet5": {"violet": 5},
    "favd8": {"favd": 8},
    "windows": {"windows": FeatureWindows(Fraction(3, 2))},
}


def chosen(name: str, rule: str, **options: Any) -> np.ndarray:
    sampling = Sampling(**RULES[rule], damage=options.pop("damage", "chosen"))
    scales = [Scale(shorter_side=program.SIDE)]
    frames = decode_frames(FOLDER / name, sampling=sampling, scales=scales, **options)
    return np.array([frame.pixels[0] for frame in frames])


def size_of(name: str) -> tuple[int, int]:
    index = index_video(FOLDER / name)
    return scaled_size(index.display_width, index.display_height, shorter_side=program.SIDE)


def expected(rule: str, every: np.ndarray) -> np.ndarray:
    """The frames of the rules that count frames."""
    count = len(every)
    if rule.startswith("uniform"):
        wanted = int(rule[7:])
        return every[[count * (2 * n + 1) // (2 * wanted) for n in range(wanted)]]
    if rule == "violet5":
        return every[[int(count / 6 * n) for n in range(1, 6)]]
    return every


@pytest.mark.parametrize("name", FRAMES)
def test_good_files(name: str) -> None:
    size = size_of(name)
    witness = program.every_frame(FOLDER / name, size).frames
    assert len(witness) == FRAMES[name]
    for rule, keys in RULES.items():
        if rule == "windows":
            assert len(chosen(name, rule)) >= 1
        elif rule == "favd8" or (name, rule) == ("adbreak.ts", "fps31"):
            # Where colours change at a join, the program begins its filters anew, and drops a slot.
            assert len(chosen(name, rule)) == (8 if rule == "favd8" else 124)
        else:
            wanted = (
                program.at_rate(FOLDER / name, size, keys["fps"])
                if "fps" in keys
                else expected(rule, witness)
            )
            np.testing.assert_array_equal(chosen(name, rule), wanted, err_msg=rule)
        strict = chosen(name, rule, damage="strict")
        np.testing.assert_array_equal(strict, chosen(name, rule), err_msg=rule)


@pytest.mark.parametrize("damage", ["chosen", "strict"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", FAILURES)
def test_bad_files(name: str, rule: str, damage: str) -> None:
    with pytest.raises(ClipError) as caught:
        chosen(name, rule, damage=damage)
    assert caught.value.failure in FAILURES[name]
    assert name in caught.value.message


def test_a_damaged_stamp() -> None:
    name = "h264frag_mp4_11_fliphead.mp4"
    for rule, count in {"every": 36, "uniform3": 3, "violet5": 5}.items():
        assert len(chosen(name, rule)) == count
    for rule in ("fps2", "favd8", "windows"):
        with pytest.raises(ClipError, match="corrupt: a time stamp is wrong"):
            chosen(name, rule)


WINDOWS: Mapping[str, tuple[float, float, int]] = {
    "ps_6s.mpg": (1.0, 2.0, 5),
    "interl.mpg": (1.0, 2.0, 5),
    "nokey.mp4": (0.5, 1.5, 4),
    "vfr_gap.webm": (1.0, 2.0, 5),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    start, end, count = WINDOWS[name]
    for sampling in (Sampling(fps=Fraction(5)), Sampling(fps=Fraction(5), damage="strict")):
        frames = decode_frames(
            FOLDER / name,
            sampling=sampling,
            scales=[Scale(shorter_side=program.SIDE)],
            start_seconds=start,
            end_seconds=end,
        )
        assert len(list(frames)) == count


def test_a_still_part_shows_the_standing_frame() -> None:
    name = "vfr_gap.webm"
    witness = program.every_frame(FOLDER / name, size_of(name))
    place = max(n for n, seconds in enumerate(witness.seconds) if seconds <= 1)
    assert witness.seconds[place + 1] > 2
    for rule in RULES:
        frames = chosen(name, rule, start_seconds=1.0, end_seconds=2.0)
        assert len(frames)
        assert (frames == witness.frames[place]).all(), rule
