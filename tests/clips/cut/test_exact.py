"""Encoding anew: what is decoded for it, and what cannot be encoded."""

import dataclasses
from pathlib import Path

import pytest

from reelpack.clips.cut import exact
from reelpack.clips.cut.clip import cut_clip
from reelpack.clips.cut.exact import encode_window
from reelpack.core.errors import ClipError
from reelpack.video.decoder import all_frames
from reelpack.video.index import index_video
from reelpack.video.plan import plan
from tests.support.clips import damage_file, write_clip
from tests.support.helpers import count_packets_fed
from tests.video.program import run

CLOSED = {"gop": 10, "encoder_options": {"x264-params": "scenecut=0"}}


def cut(path: Path, start: float | None, end: float | None) -> Path:
    target = path.with_name("cut.mp4")
    encode_window(path, target, start_seconds=start, end_seconds=end, comment="")
    return target


def test_only_what_the_window_needs_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = []

    def counting(*arguments, **options):
        fed.append(plan(*arguments, **options))
        return fed[-1]

    monkeypatch.setattr(exact, "plan", counting)
    path = write_clip(tmp_path / "a.mp4", frames=60, **CLOSED)
    assert len(index_video(cut(path, 1.28, 1.4)).pts) == 3
    assert count_packets_fed(fed[0]) < 10


def test_a_damaged_picture_in_the_window_fails_and_one_elsewhere_does_not(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=50, **CLOSED)
    bad = damage_file(path, tmp_path / "bad.mp4", at=0.5, length=500)
    assert len(index_video(cut(bad, 0.0, 0.4)).pts) == 10
    with pytest.raises(ClipError, match="decode"):
        cut(bad, 0.6, 1.4)


def test_stamps_that_go_back_cannot_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "b.avi", frames=10)
    monkeypatch.setattr(
        "reelpack.clips.cut.window.all_frames",
        lambda path: [(0, 1, None), (2, 1, None), (1, 1, None)],
    )
    with pytest.raises(ClipError, match=r"do not rise; allowed: trim: virtual"):
        cut(path, 0.0, 0.2)


def test_stamps_that_go_back_elsewhere_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "b.avi", frames=10)
    index = index_video(path)
    stamps = [0, 1, 2, 3, 4, 3, 5, 6, 7, 8]
    untrusted = dataclasses.replace(index, unplannable="stamps that go back")
    monkeypatch.setattr(exact, "read_packet_index", lambda path: (untrusted, ()))

    def restamped(path: Path):
        for stamp, (_, _, frame) in zip(stamps, all_frames(path), strict=True):
            yield stamp, 1, frame

    for module in ("exact", "window"):
        monkeypatch.setattr(f"reelpack.clips.cut.{module}.all_frames", restamped)
    assert len(index_video(cut(path, 0.04, 0.12)).pts) == 2
    with pytest.raises(ClipError, match="in the window do not rise"):
        cut(path, 0.04, 0.24)


@pytest.mark.parametrize("name", ["a.mpg", "a.ts"])
def test_sound_behind_a_seek_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    run(
        "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=6",
        "-f", "lavfi", "-i", "sine=frequency=700:duration=6", "-c:v", "mpeg2video", "-bf", "2",
        "-g", "12", "-c:a", "mp2", "-b:a", "384k", path,
    )  # fmt: skip
    for start in (1.0, 2.5, 3.3, 4.0):
        target = tmp_path / "cut.mp4"
        found = cut_clip(path, target, how="exact", start_seconds=start, end_seconds=start + 1)
        assert found.pictures == 25
        assert not run("-i", target, "-map", "0:a", "-f", "null", "-").stderr
