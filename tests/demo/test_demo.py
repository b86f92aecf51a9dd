from __future__ import annotations

import csv
import runpy
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from reelpack.core.errors import FAILURE_CLASSES
from reelpack.demo.demo_clips import DEMO_CLIPS, DemoClip
from reelpack.demo.encode_clip import encode_clip
from reelpack.demo.scenes import MOTIONS, draw_scene
from reelpack.demo.write_demo import write_demo
from tests.support.helpers import ROOT

COMMAND = ROOT / "scripts" / "make_demo.py"
GOOD = [clip for clip in DEMO_CLIPS if not clip.failures]


def named(path: str) -> DemoClip:
    return next(clip for clip in DEMO_CLIPS if clip.path == path)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return folder


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


@pytest.mark.parametrize("clip", GOOD, ids=lambda clip: clip.path)
def test_good_clips_decode_in_full_and_move(demo: Path, clip: DemoClip) -> None:
    shown = frames(demo / clip.path)
    assert len(shown) == round(clip.seconds * clip.rate)
    assert (shown[0].width, shown[0].height) == clip.size
    first, last = (
        frame.to_ndarray(format="gray").astype(int) for frame in shown[:: len(shown) - 1]
    )
    assert np.abs(first - last).mean() > 2
    with av.open(str(demo / clip.path)) as container:
        assert len(container.streams.audio) == (clip.audio is not None)


def test_the_cut_file_opens_but_does_not_decode(demo: Path) -> None:
    with av.open(str(demo / "blocks/cut_short.mp4")) as container:
        assert container.streams.video[0].frames == 75
        with pytest.raises(av.error.InvalidDataError):
            list(container.decode(container.streams.video[0]))


def test_the_sound_only_file_has_no_frames(demo: Path) -> None:
    with av.open(str(demo / "rings/sound_only.mp4")) as container:
        assert not container.streams.video
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 2 * 44100


def test_traits_that_the_clips_are_there_for(demo: Path) -> None:
    assert {frame.rotation for frame in frames(demo / "circles/rotated.mp4")} == {-90}
    assert frames(demo / "rings/ten_bit.mkv")[0].format.name == "yuv420p10le"
    assert frames(demo / "rings/full_range.mov")[0].format.name == "yuvj420p"
    kinds = {frame.pict_type for frame in frames(demo / "circles/disc_25.mp4")}
    assert kinds == {PictureType.I, PictureType.P, PictureType.B}
    steps = np.diff([frame.pts for frame in frames(demo / "waves/wave_variable.mp4")])
    assert steps.min() > 0
    assert len(set(steps.tolist())) > 2


@pytest.mark.parametrize(
    "path",
    [
        "waves/Größe & ñandú 波.mp4",
        "circles/disc_15.mp4",
        "rings/ten_bit.mkv",
        "waves/wave_mpeg4.avi",
        "blocks/odd_size.webm",
        "rings/full_range.mov",
    ],
)
def test_bytes_are_the_same_each_time(demo: Path, path: str) -> None:
    assert encode_clip(named(path)) == (demo / path).read_bytes()


def test_a_second_run_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelpack.demo.write_demo.DEMO_CLIPS", (named("circles/disc_15.mp4"),))
    write_demo(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    write_demo(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert {path.name for path in before} == {"circles", "disc_15.mp4", "demo.csv"}


def test_a_damaged_file_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = named("circles/disc_15.mp4")
    monkeypatch.setattr("reelpack.demo.write_demo.DEMO_CLIPS", (clip,))
    write_demo(tmp_path)
    good = (tmp_path / clip.path).read_bytes()
    (tmp_path / clip.path).write_bytes(good[:100])
    write_demo(tmp_path)
    assert (tmp_path / clip.path).read_bytes() == good


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("demo_clips", "write_demo"):
        clips = (named("rings/sound_only.mp4"),)
        monkeypatch.setattr(f"reelpack.demo.{module}.DEMO_CLIPS", clips)
    monkeypatch.setattr("sys.argv", ["make_demo.py", str(tmp_path / "new/demo")])
    runpy.run_path(str(COMMAND), run_name="__main__")
    assert "1 clips, 1 of them broken" in capsys.readouterr().out
    assert (tmp_path / "new/demo/rings/sound_only.mp4").is_file()


def test_the_table_lists_every_clip_and_window(demo: Path) -> None:
    with (demo / "demo.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "start", "end", "label", "caption"]
    assert {row["path"] for row in rows} == {clip.path for clip in DEMO_CLIPS}
    assert {int(row["label"]) for row in rows} == {0, 1, 2, 3}
    windows = [(float(row["start"]), float(row["end"])) for row in rows if row["start"]]
    assert windows == list(named("blocks/blocks_long.mp4").windows)
    tricky = next(row["caption"] for row in rows if "🌊" in row["caption"])
    assert '"' in tricky
    assert "," in tricky


def test_the_list_is_what_it_says() -> None:
    assert sum(bool(clip.failures) for clip in DEMO_CLIPS) == 2
    assert all(set(clip.failures) <= set(FAILURE_CLASSES) for clip in DEMO_CLIPS)
    h264 = [clip for clip in DEMO_CLIPS if clip.codec == "libx264"]
    assert len(h264) > len(DEMO_CLIPS) / 2
    assert {Fraction(15), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)} <= {
        clip.rate for clip in h264
    }


@pytest.mark.parametrize("motion", MOTIONS)
def test_scenes_change_smoothly(motion: str) -> None:
    shown = [
        draw_scene(motion, seconds=seconds, size=(120, 90), seed=3).astype(int)  # type: ignore[arg-type]
        for seconds in (1.0, 1.04, 1.4)
    ]
    near, far = (np.abs(frame - shown[0]).mean() for frame in shown[1:])
    assert 0 < near < far
