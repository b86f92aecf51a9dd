"""Copied packets: which ones, with which times, and from files that change or lack an index."""

import itertools
from pathlib import Path

import pytest

from reelpack.clips.cut.clip import cut_clip
from reelpack.clips.cut.keyframe import _find_decode_times, copy_window
from reelpack.clips.cut.window import AskedFrames
from reelpack.core.errors import ClipError
from reelpack.video.index import index_video
from tests.clips.cut.videos import video
from tests.support.clips import write_clip
from tests.video.program import run

CLOSED = {"gop": 10, "encoder_options": {"x264-params": "scenecut=0"}}


def cut(path: Path, start: float, end: float) -> Path:
    target = path.with_name("cut.mp4")
    copy_window(path, target, start_seconds=start, end_seconds=end, comment="")
    return target


def test_it_begins_at_the_keyframe_and_ends_with_what_is_needed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, **CLOSED)
    found = index_video(cut(path, 0.52, 0.72))
    assert len(found.pts) == 5
    # Frames 10 to 17 and at most three that later ones refer to.
    assert 8 <= len(found.packet_pts) <= 11
    assert found.packet_pts.min() == -3 * 512
    assert found.entries.tolist() == [0]


def test_a_start_on_a_keyframe_hides_nothing_before_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40, b_frames=0, **CLOSED)
    found = index_video(cut(path, 0.4, 0.8))
    assert found.packet_shown.all()
    assert len(found.pts) == 10


def test_an_open_group_is_entered_where_all_can_be_decoded(tmp_path: Path) -> None:
    path = video(tmp_path, "open_gop.mp4")
    source, found = index_video(path), index_video(cut(path, 1.1, 1.6))
    assert source.entries.tolist() == found.entries.tolist() == [0]


def test_the_rate_is_the_source_s(tmp_path: Path) -> None:
    for name in ("hevc.mkv", "open_gop.mp4", "h264.ts"):
        assert index_video(cut(video(tmp_path, name), 0.9, 1.7)).average_rate == 25, name


def test_a_replaced_file_is_indexed_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=40)
    assert len(index_video(cut(path, 0.4, 9.0)).pts) == 30
    write_clip(path, frames=25, width=80)
    found = index_video(cut(path, 0.4, 9.0))
    assert (len(found.pts), found.width) == (15, 80)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="missing"):
        cut(tmp_path / "none.mp4", 0.0, 1.0)


def test_decode_times_rise_and_let_the_last_picture_stay_as_long_as_shown(tmp_path: Path) -> None:
    index = index_video(video(tmp_path, "uneven_b.mp4"))
    pts = index.packet_pts.tolist()
    for end in (0.1, 0.131, 0.4, 0.6, 1.305):
        asked = AskedFrames.of_index(index, 0.03, end)
        for known in (dict.fromkeys(pts), {stamp: stamp - 999 for stamp in pts}):
            times = _find_decode_times(pts, known, asked)
            dts = [when for when, _ in times.values()]
            assert list(times) == pts
            assert all(after > before for before, after in itertools.pairwise(dts))
            assert all(when <= stamp for stamp, (when, _) in times.items())
            assert times[int(asked.pts[-1])][1] == asked.durations[-1]


def test_a_frame_that_stands_longer_than_the_copy_can_tell_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    run(
        "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=4",
        "-vf", "select='lt(t,0.4)+gt(t,2.4)'", "-fps_mode", "vfr", "-c:v", "libvpx-vp9", path,
    )  # fmt: skip
    window = {"start_seconds": 1.0, "end_seconds": 2.0}
    with pytest.raises(ClipError, match=r"0.0400 s, 1.0000 s was asked .* allowed: trim: exact"):
        cut_clip(path, tmp_path / "cut.mp4", how="keyframe", **window)
    found = cut_clip(path, tmp_path / "cut.mp4", how="exact", **window)
    assert (found.pictures, found.duration_seconds) == (1, 1.0)
