"""Encoding anew: what is decoded for it, and what cannot be encoded."""

from pathlib import Path

import pytest

from reelpack.clips.cut import exact
from reelpack.clips.cut.exact import encode_window
from reelpack.core.errors import ClipError
from reelpack.video.index import index_video
from reelpack.video.plan import plan
from tests.support.clips import damage_file, write_clip

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
    assert fed[0].packets_fed < 10


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
