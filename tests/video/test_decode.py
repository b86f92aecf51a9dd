"""Frames of clips with something special about them, and of broken ones."""

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from reelpack.config.windows import FeatureWindows
from reelpack.core.errors import ClipError
from reelpack.video import decode, decoder
from reelpack.video.decode import (
    ContradictionError,
    DecodedFrame,
    Request,
    SharedDecodeError,
    decode_frames,
    decode_requests,
)
from reelpack.video.geometry import Scale
from reelpack.video.index import index_video
from reelpack.video.sampling import Sampling
from tests.support.clips import cut_file, damage_file, picture, write_clip

EVERY = Sampling(every=True)
NATIVE = [Scale()]


def frames(path: Path, sampling: Sampling = EVERY, **options: Any) -> list[DecodedFrame]:
    return list(decode_frames(path, **{"sampling": sampling, "scales": NATIVE, **options}))


def same(left: list[DecodedFrame], right: list[DecodedFrame]) -> bool:
    return len(left) == len(right) and all(
        a.pts_seconds == b.pts_seconds
        and all(np.array_equal(x, y) for x, y in zip(a.pixels, b.pixels, strict=True))
        for a, b in zip(left, right, strict=True)
    )


def distance(frame: DecodedFrame, number: int) -> float:
    height, width = frame.pixels[0].shape[:2]
    return float(np.abs(frame.pixels[0] - picture(number, width, height).astype(float)).mean())


def test_chosen_frames_are_the_written_pictures(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=50, encoder_options={"crf": "8"})
    chosen = frames(path, Sampling(fps=Fraction(2)))
    assert [frame.pts_seconds for frame in chosen] == [6 / 25, 18 / 25, 31 / 25, 43 / 25]
    for frame, number in zip(chosen, [6, 18, 31, 43], strict=True):
        assert min(range(50), key=lambda n, f=frame: distance(f, n)) == number


def test_several_scales_come_from_one_decode(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=5, width=64, height=48)
    scales = [Scale(), Scale(shorter_side=24), Scale(square=16), Scale(24, scaler="bilinear")]
    for frame in frames(path, scales=scales):
        native, small, square, bilinear = frame.pixels
        assert [p.shape[:2] for p in frame.pixels] == [(48, 64), (24, 32), (16, 16), (24, 32)]
        assert all(p.dtype == np.uint8 and p.flags.c_contiguous for p in frame.pixels)
        assert not np.array_equal(small, bilinear)
        cut = Image.fromarray(native).crop((8, 0, 56, 48))
        np.testing.assert_array_equal(square, cut.resize((16, 16), Image.Resampling.LANCZOS))


def test_repeated_frames_share_their_arrays(tmp_path: Path) -> None:
    chosen = frames(write_clip(tmp_path / "a.mp4", frames=3), Sampling(uniform=5))
    assert [frame.pts_seconds for frame in chosen] == [0, 0, 1 / 25, 2 / 25, 2 / 25]
    assert chosen[0].pixels[0] is chosen[1].pixels[0]


def test_windows(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=50, gop=10)
    inside = frames(path, start_seconds=0.4, end_seconds=0.6)
    assert [frame.pts_seconds for frame in inside] == [n / 25 for n in range(10, 15)]
    assert same(inside, frames(path)[10:15])
    with pytest.raises(ClipError, match="too_short"):
        frames(path, start_seconds=5.0)


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_rotated_pictures_come_upright(tmp_path: Path, clockwise: int) -> None:
    options = {"frames": 3, "width": 96, "height": 48, "encoder_options": {"crf": "8"}}
    plain = frames(write_clip(tmp_path / "plain.mp4", **options))
    turned = frames(write_clip(tmp_path / "turned.mp4", clockwise=clockwise, **options))
    for upright, frame in zip(plain, turned, strict=True):
        # The writer's angle is counter-clockwise, like NumPy's.
        expected = np.rot90(upright.pixels[0], clockwise // 90)
        assert frame.pixels[0].shape == expected.shape
        # Chroma is interpolated along other axes after a turn.
        assert np.abs(frame.pixels[0].astype(int) - expected).mean() < 3


def test_shorter_side_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=1, width=96, height=48, clockwise=90)
    (frame,) = frames(path, scales=[Scale(shorter_side=24)])
    assert frame.pixels[0].shape == (48, 24, 3)


def test_hidden_pictures_are_not_given(tmp_path: Path) -> None:
    whole = frames(write_clip(tmp_path / "a.mp4", frames=30))
    hidden = frames(write_clip(tmp_path / "b.mp4", frames=30, first_stamp=-7))
    assert [f.pts_seconds for f in hidden] == [n / 25 for n in range(23)]
    assert all(
        np.array_equal(a.pixels[0], b.pixels[0]) for a, b in zip(whole[7:], hidden, strict=True)
    )


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_avi_frames_come_in_decoder_order(tmp_path: Path, codec: str) -> None:
    chosen = frames(write_clip(tmp_path / "a.avi", codec=codec, frames=12))
    assert len(chosen) == 12
    assert [min(range(12), key=lambda n, f=f: distance(f, n)) for f in chosen] == list(range(12))


@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv444p", "yuv422p", "gray"])
def test_other_pixel_formats(tmp_path: Path, layout: str) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", frames=3, pixel_format=layout)
    chosen = frames(path, scales=[Scale(), Scale(shorter_side=24)])
    assert [f.pixels[1].shape for f in chosen] == [(24, 32, 3)] * 3
    if layout != "gray":
        assert max(distance(frame, number) for number, frame in enumerate(chosen)) < 12


def test_an_index_made_before_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40)
    fresh = frames(path, Sampling(uniform=3))
    index = index_video(path)
    monkeypatch.setattr(decode, "read_index", None)
    assert same(frames(path, Sampling(uniform=3), index=index), fresh)


def test_files_too_large_to_hold_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40)
    held = frames(path, Sampling(uniform=3))
    monkeypatch.setattr(decode, "KEPT_BYTES", 100)
    assert same(frames(path, Sampling(uniform=3)), held)


def test_a_wrong_index_is_noticed_half_way(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, gop=10)
    index = index_video(path)
    stamps = index.packet_pts.copy()
    stamps[35], stamps[36] = stamps[36], stamps[35]
    wrong = dataclasses.replace(index, packet_pts=stamps)
    assert same(frames(path, index=wrong), frames(path))


def test_an_index_of_other_frames_is_noticed_before_frames_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, gop=10)
    index = index_video(path)
    other = dataclasses.replace(index, pts=index.pts[::2], durations=index.durations[::2] * 2)
    stamps = index.packet_pts.copy()
    stamps[35], stamps[36] = stamps[36], stamps[35]
    other = dataclasses.replace(other, packet_pts=stamps)
    assert same(frames(path, index=other), frames(path))
    monkeypatch.setattr(decode, "HELD_BYTES", 5000)
    with pytest.raises(ContradictionError, match="contradict"):
        frames(path, index=other)
    assert same(frames(path, index=other, indexed=False), frames(path))


def test_planning_feeds_fewer_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = []
    original = decoder._decode
    monkeypatch.setattr(decoder, "_decode", lambda *call: fed.append(call[1]) or original(*call))
    path = write_clip(tmp_path / "a.mp4", frames=100, gop=25)
    planned = frames(path, Sampling(uniform=4))
    assert 4 <= sum(packet is not None for packet in fed) <= 60
    fed.clear()
    assert same(frames(path, Sampling(uniform=4), planned=False), planned)
    assert sum(packet is not None for packet in fed) == 100


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp4", {"codec": "mpeg4"}), ("a.mkv", {}), ("a.avi", {"codec": "mpeg4"})],
    ids=["mp4", "mkv", "avi"],
)
def test_damage_in_the_middle_fails(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    whole = write_clip(tmp_path / name, frames=40, width=128, height=96, **options)
    broken = damage_file(whole, tmp_path / f"broken_{name}", at=0.4, length=400)
    for planned in (True, False):
        with pytest.raises(ClipError) as caught:
            frames(broken, planned=planned)
        assert caught.value.failure in {"decode", "corrupt"}


def test_a_stream_cut_inside_a_picture_fails(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.ts", frames=40, width=128, height=96)
    with pytest.raises(ClipError, match="decode"):
        frames(cut_file(whole, tmp_path / "cut.ts", keep=0.9))


def test_a_useless_last_packet_is_left_out(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", frames=20)
    path = tmp_path / "tail.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        last = av.Packet(b"\x00\x00\x00\x04\x65\x01\x02\x03")
        last.pts = last.dts = 20 * 512
        last.time_base, last.duration = packets[0].time_base, 512
        for packet in [*packets, last]:
            packet.stream = stream
            output.mux(packet)
    assert len(index_video(path).pts) == 21
    assert same(frames(path), frames(whole))


def test_nothing_is_written_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write_clip(tmp_path / "a.mp4", codec="mpeg4", frames=40, width=128, height=96)
    broken = damage_file(whole, tmp_path / "b.mp4", at=0.4, length=400)
    capfd.readouterr()
    with pytest.raises(ClipError):
        frames(broken)
    assert capfd.readouterr().err == ""


MOTION = Request(
    Sampling(windows=FeatureWindows(Fraction(3, 2), fps=30, frames=32)),
    (Scale(shorter_side=24), Scale(shorter_side=16)),
)
STILLS = Request(Sampling(windows=FeatureWindows(Fraction(3, 2))), (Scale(shorter_side=24),))
ALL = Request(EVERY, (Scale(),))


def alone(path: Path, request: Request, **window: float) -> list[DecodedFrame]:
    return list(decode_frames(path, sampling=request.sampling, scales=request.scales, **window))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
@pytest.mark.parametrize("window", [{}, {"start_seconds": 0.5, "end_seconds": 3.2}])
def test_requests_get_what_they_get_alone(
    tmp_path: Path, name: str, window: dict[str, float]
) -> None:
    path = write_clip(tmp_path / name, frames=100)
    requests = [MOTION, STILLS, ALL, STILLS]
    found: list[list[DecodedFrame]] = [[] for _ in requests]
    for number, frame in decode_requests(path, requests, **window):
        assert isinstance(frame, DecodedFrame)
        found[number].append(frame)
    for request, frames_of in zip(requests, found, strict=True):
        assert same(frames_of, alone(path, request, **window))
    assert len(found[0]) % 32 == 0


def test_windows_behind_the_end_repeat_the_last_second(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", frames=100, rate=30)
    stamps = [round(30 * frame.pts_seconds) for frame in alone(path, MOTION)]
    assert len(stamps) == 4 * 32
    assert stamps[:4] == [0, 2, 4, 6]
    assert stamps[-32:] == [min(90 + (135 + place) % 30, 99) for place in INSIDE]


INSIDE = [min(place, 44) for place in [*range(0, 60, 2), 59, 59]]


def test_shared_decoding_converts_a_picture_once_per_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=100)
    wanted = {frame.pts_seconds for frame in alone(path, MOTION)}
    fed, converted = [], []
    original = decode.Converter.__call__

    def counting(self: Any, frame: av.VideoFrame) -> Any:
        converted.append((self._scale, frame.pts))
        return original(self, frame)

    plan = decode.plan
    monkeypatch.setattr(decode.Converter, "__call__", counting)
    monkeypatch.setattr(decode, "plan", lambda *a, **k: fed.append(plan(*a, **k)) or fed[-1])
    list(decode_requests(path, [MOTION, STILLS]))
    assert len(fed) == 1
    assert len(set(converted)) == len(converted)
    assert len(wanted) < 100
    assert sum(scale.shorter_side == 16 for scale, _ in converted) == len(wanted)


def test_a_request_that_cannot_be_made_leaves_the_others(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=5)
    strict = Request(Sampling(every=True, at_least=9), (Scale(),))
    found = list(decode_requests(path, [strict, ALL]))
    errors = [(n, item.failure) for n, item in found if isinstance(item, ClipError)]
    assert errors == [(0, "too_short")]
    assert [n for n, item in found if isinstance(item, DecodedFrame)] == [1] * 5
    assert [n for n, _ in decode_requests(path, [strict])] == [0]


def test_requests_that_fail_together_may_succeed_alone(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", frames=100, b_frames=0, gop=10)
    path = damage_file(whole, tmp_path / "a.mp4", at=0.8, length=400)
    with pytest.raises(SharedDecodeError):
        list(decode_requests(path, [ALL, Request(Sampling(every=True, first=20), (Scale(),))]))
    assert len(frames(path, Sampling(every=True, first=20))) == 20
    with pytest.raises(ClipError, match="decode"):
        frames(path)


def two_streams(path: Path, folder: Path) -> Path:
    """A file with a small video stream and, behind it, a larger and longer one."""
    small = write_clip(folder / "small.mp4", frames=10, b_frames=0)
    large = write_clip(folder / "large.mp4", frames=20, width=128, height=96, b_frames=0)
    with av.open(str(small)) as one, av.open(str(large)) as two, av.open(str(path), "w") as output:
        tracks = [output.add_stream_from_template(each.streams.video[0]) for each in (one, two)]
        for each, track in zip((one, two), tracks, strict=True):
            for packet in each.demux(video=0):
                if packet.dts is not None:
                    packet.stream = track
                    output.mux(packet)
    return path


# MP4 files mark the first track as the default one, and that counts for more than size.
@pytest.mark.parametrize(("ending", "height"), [("ts", 96), ("mp4", 48)])
def test_the_stream_that_is_asked_for(tmp_path: Path, ending: str, height: int) -> None:
    path = two_streams(tmp_path / f"two.{ending}", tmp_path)
    assert index_video(path).display_height == 48
    assert frames(path)[0].pixels[0].shape == (48, 64, 3)
    largest = Sampling(every=True, stream="largest")
    found = frames(path, largest)
    assert found[0].pixels[0].shape[0] == height
    assert len(found) == (20 if height == 96 else 10)
    assert same(found, frames(path, largest, planned=False))
    assert index_video(path, stream="largest").display_height == height


def test_requests_of_different_streams_share_no_decode(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=5)
    requests = [
        Request(Sampling(every=True, stream=each), (Scale(),)) for each in ("first", "largest")
    ]
    with pytest.raises(SharedDecodeError, match="different streams"):
        list(decode_requests(path, requests))
