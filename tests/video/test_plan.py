"""Plans leave work out: counted in packets, on real streams."""

from pathlib import Path

import numpy as np
import pytest

from reelpack.video.index import VideoIndex, index_video
from reelpack.video.plan import plan
from tests.support.clips import write_clip
from tests.support.helpers import count_packets_fed


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    path = tmp_path_factory.mktemp("plan") / "a.mp4"
    options = {"x264-params": "scenecut=0:b-adapt=0:b-pyramid=none"}
    return index_video(write_clip(path, frames=60, gop=20, encoder_options=options))


def stamps(index: VideoIndex, *wanted: int) -> np.ndarray:
    return np.array(wanted, dtype=np.int64)


def test_without_skipping_everything_is_fed(index: VideoIndex) -> None:
    whole = plan(index, stamps(index, 3), skip=False)
    assert count_packets_fed(whole) == 60
    assert len(whole.segments) == 1


def test_a_key_picture_alone_needs_one_packet(index: VideoIndex) -> None:
    assert count_packets_fed(plan(index, stamps(index, 40))) == 1


def test_decoding_starts_at_the_entry_before_the_picture(index: VideoIndex) -> None:
    (segment,) = plan(index, stamps(index, 43)).segments
    assert segment.packets[0] == index.entries[2]
    assert segment.wanted == {int(index.pts[43])}


def test_a_gap_between_wanted_pictures_is_jumped(index: VideoIndex) -> None:
    jumping = plan(index, stamps(index, 2, 41))
    assert len(jumping.segments) == 2
    assert count_packets_fed(jumping) < 8


def test_unreferenced_pictures_are_dropped_unless_wanted(index: VideoIndex) -> None:
    last = 59
    bare = plan(index, stamps(index, last))
    assert not index.droppable[bare.segments[-1].packets[:-1]].any()
    b_picture = int(np.searchsorted(index.pts, index.packet_pts[index.droppable].min()))
    (segment,) = plan(index, stamps(index, b_picture)).segments
    assert index.droppable[segment.packets].sum() == 1


def test_neighbours_share_a_run(index: VideoIndex) -> None:
    everything = plan(index, np.arange(60))
    assert count_packets_fed(everything) == 60
    assert len(everything.segments) == 1
    assert count_packets_fed(plan(index, np.repeat(np.arange(60), 3))) == 60


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"codec": "mpeg4"}),
        ("a.mkv", {"codec": "hevc", "width": 96, "height": 64}),
        ("a.ts", {"codec": "mpeg2video"}),
        ("a.ts", {"codec": "h264"}),
    ],
    ids=["mpeg4", "hevc", "mpeg2", "annexb"],
)
def test_other_codecs_drop_and_jump_too(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, frames=48, gop=16, **options)  # type: ignore[arg-type]
    index = index_video(path)
    assert index.plannable
    assert count_packets_fed(plan(index, stamps(index, 40))) < 12
    assert count_packets_fed(plan(index, stamps(index, 0, 14, 31, 46))) < 34


def test_vp9_jumps_but_drops_nothing(tmp_path: Path) -> None:
    index = index_video(write_clip(tmp_path / "a.webm", codec="vp9", frames=48, gop=16))
    assert not index.droppable.any()
    assert count_packets_fed(plan(index, stamps(index, 47))) <= 16
