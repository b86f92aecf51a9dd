"""Planned decoding and decoding everything give the same frames, whatever the clip."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelpack.core.errors import ClipError
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.sampling import Sampling
from tests.support.clips import write_clip
from tests.support.helpers import shared_clips

SHARED = shared_clips()
SHARED_CLIPS = sorted(SHARED.glob("*.[ma][pvko][4iv]")) if SHARED else []
CONTAINERS = {
    "h264": ["mp4", "mkv", "ts", "avi", "flv"],
    "hevc": ["mp4", "mkv", "ts"],
    "mpeg4": ["mp4", "avi", "mkv"],
    "mpeg2video": ["mpg", "ts", "mkv"],
    "vp9": ["webm", "mp4"],
    "mjpeg": ["avi"],
}
ENCODER_OPTIONS: dict[str, list[dict[str, str]]] = {
    "h264": [
        {},
        {"x264-params": "b-pyramid=normal:ref=4"},
        {"x264-params": "open-gop=1:b-adapt=0"},
        {"x264-params": "interlaced=1"},
        {"x264-params": "slices=3:annexb=1:repeat-headers=1"},
        {"x264-params": "intra-refresh=1"},
    ],
    "hevc": [
        {},
        {"x265-params": "open-gop=0"},
        {"x265-params": "b-pyramid=1:b-adapt=0"},
        {"x265-params": "temporal-layers=2"},
    ],
    "mpeg4": [{}, {"flags": "+qpel"}],
    "vp9": [{}, {"deadline": "good", "lag-in-frames": "16", "arnr-maxframes": "5"}],
}


@st.composite
def clip_settings(draw: st.DrawFn) -> dict[str, Any]:
    codec = draw(st.sampled_from(sorted(CONTAINERS)))
    odd = codec in {"mpeg4", "vp9", "mjpeg"}
    # x265 writes outside its buffers for frames smaller than a coding tree unit.
    least = 64 if codec == "hevc" else 36
    sides = st.integers(least, least + 36).map(lambda side: side if odd else side // 4 * 4)
    frames = draw(st.integers(1, 45))
    rates = [24, 25, 30, Fraction(30000, 1001)] + ([] if codec == "mpeg2video" else [10])
    return {
        "suffix": draw(st.sampled_from(CONTAINERS[codec])),
        "codec": codec,
        "pixel_format": "yuvj420p" if codec == "mjpeg" else "yuv420p",
        "frames": frames,
        "rate": draw(st.sampled_from(rates)),
        "width": draw(sides),
        "height": draw(sides),
        "gop": draw(st.sampled_from([1, 5, 8, 250])),
        "b_frames": draw(st.integers(0, 4)),
        "first_stamp": draw(st.sampled_from([0, 0, -3])) if codec == "h264" else 0,
        "encoder_options": draw(st.sampled_from(ENCODER_OPTIONS.get(codec, [{}]))),
    }


@st.composite
def samplings(draw: st.DrawFn) -> Sampling:
    rule = draw(st.sampled_from(["fps", "uniform", "every", "violet", "favd"]))
    first = draw(st.none() | st.integers(1, 12))
    if rule == "fps":
        fps = Fraction(draw(st.integers(1, 60)), draw(st.sampled_from([1, 2, 3])))
        return Sampling(fps=fps, first=first)
    if rule != "every":
        return Sampling(**{rule: draw(st.integers(1, 9))}, first=first)
    return Sampling(every=True, first=first)


def frames_or_failure(path: Path, **options: Any) -> list[tuple[float, bytes]] | str:
    try:
        return [
            (frame.pts_seconds, frame.pixels[0].tobytes())
            for frame in decode_frames(path, scales=[Scale(shorter_side=24)], **options)
        ]
    except ClipError as error:
        return error.failure


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    clip=clip_settings(),
    sampling=samplings(),
    start=st.none() | st.integers(0, 12).map(lambda tenths: tenths / 10),
    length=st.none() | st.integers(1, 15).map(lambda tenths: tenths / 10),
)
def test_random_clips(
    clip: dict[str, Any], sampling: Sampling, start: float | None, length: float | None
) -> None:
    options = dict(clip)
    with tempfile.TemporaryDirectory() as folder:
        path = write_clip(Path(folder) / f"clip.{options.pop('suffix')}", **options)
        window = {
            "start_seconds": start,
            "end_seconds": None if length is None else (start or 0.0) + length,
        }
        planned = frames_or_failure(path, sampling=sampling, **window)
        full = frames_or_failure(path, sampling=sampling, planned=False, **window)
    assert planned == full
    if start is None and length is None and sampling.every:
        shown = clip["frames"] + min(0, clip["first_stamp"] if clip["suffix"] == "mp4" else 0)
        assert len(planned) == min(shown, sampling.first or shown) or shown <= 0


@pytest.mark.skipif(not SHARED_CLIPS, reason="the shared clips are not there")
@pytest.mark.parametrize("path", SHARED_CLIPS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "sampling",
    [Sampling(fps=Fraction(2)), Sampling(uniform=5), Sampling(fps=Fraction(2, 3))],
    ids=["fps2", "uniform5", "fps2d3"],
)
def test_shared_clips(path: Path, sampling: Sampling) -> None:
    planned = frames_or_failure(path, sampling=sampling)
    full = frames_or_failure(path, sampling=sampling, planned=False)
    assert planned == full
    assert (planned == "decode") == (path.name == "corrupted.mp4")
    if path.name == "corrupted.mp4":
        return
    assert planned == "too_short" or np.all(np.diff([stamp for stamp, _ in planned]) >= 0)
