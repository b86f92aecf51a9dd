"""What the index tells about clips, good and bad."""

import errno
from fractions import Fraction
from pathlib import Path

import av.error
import pytest

from reelpack.core.errors import ClipError
from reelpack.video.index import index_video
from reelpack.video.source import clip_errors
from tests.support.clips import cut_file, write_audio, write_clip


def failure(path: Path) -> str:
    with pytest.raises(ClipError) as caught:
        index_video(path)
    assert str(path) in caught.value.message
    return caught.value.failure


def test_a_plain_clip(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mp4",
        gop=10,
        audio_seconds=1.0,
        encoder_options={"x264-params": "scenecut=0"},
    )
    index = index_video(path)
    assert (index.codec, index.width, index.height, index.rotation) == ("h264", 64, 48, 0)
    ticks = index.pts * index.time_base
    assert ticks.tolist() == [Fraction(i, 25) for i in range(30)]
    assert (index.duration_seconds, index.average_rate, index.has_audio) == (1.2, 25, True)
    assert (len(index.packet_pts), index.stream_count, index.plannable) == (30, 2, True)
    assert index.packet_pts[index.entries].tolist() == index.pts[[0, 10, 20]].tolist()
    assert 5 < index.droppable.sum() < 25
    assert not index.droppable[index.entries].any()


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_rotation_turns_the_display_size(tmp_path: Path, clockwise: int) -> None:
    path = write_clip(tmp_path / "a.mp4", width=96, height=48, frames=3, clockwise=clockwise)
    index = index_video(path)
    # PyAV writes the angle counter-clockwise.
    assert index.rotation == 360 - clockwise
    shown = (96, 48) if clockwise == 180 else (48, 96)
    assert (index.display_width, index.display_height) == shown
    assert (index.width, index.height) == (96, 48)


def test_an_edit_list_hides_pictures(tmp_path: Path) -> None:
    index = index_video(write_clip(tmp_path / "a.mp4", frames=30, first_stamp=-7))
    assert len(index.packet_pts) == 30
    assert len(index.pts) == 23
    assert index.pts[0] == 0


def test_a_variable_rate(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 130, 131, 200, 500, 1300]
    path = write_clip(
        tmp_path / "a.mkv", frames=8, time_base=Fraction(1, 1000), stamps=stamps, b_frames=0
    )
    assert index_video(path).pts.tolist() == stamps


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_avi_has_no_stamps_for_b_pictures(tmp_path: Path, codec: str) -> None:
    assert not index_video(write_clip(tmp_path / "b.avi", codec=codec)).plannable


def test_avi_without_b_pictures_is_planned(tmp_path: Path) -> None:
    index = index_video(write_clip(tmp_path / "a.avi", codec="mpeg4", b_frames=0))
    assert index.plannable
    assert len(index.pts) == 30


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.mp4", b"", "corrupt"),
        ("text.mp4", b"no video here\n" * 99, "corrupt"),
        ("page.mp4", b"<!DOCTYPE html><html><body>404</body></html>" * 9, "corrupt"),
        ("list.mp4", b"ffconcat version 1.0\nfile good.mp4\n", "corrupt"),
        ("hls.mp4", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", "corrupt"),
    ],
)
def test_files_that_are_no_video(
    tmp_path: Path, name: str, content: bytes, expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "good.mp4", frames=3)
    capfd.readouterr()
    path = tmp_path / name
    path.write_bytes(content)
    assert failure(path) == expected
    assert capfd.readouterr().err == ""


def test_titles_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3)
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", b"Vid\xe9oH\xe4ndler"[:12]))
    assert len(index_video(path).pts) == 3


def test_a_codec_that_nobody_knows(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    assert failure(path) == "decode"


def test_a_stream_that_begins_in_mid_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.ts", frames=55, audio_seconds=2.0)
    content = bytearray(path.read_bytes())
    starts = [
        place
        for place in range(len(content) // 376 * 188, len(content), 188)
        if content[place + 1 : place + 3] == b"\x41\x00"
    ]
    # One frame gets the number of a stream that the table of programmes does not know.
    content[0] ^= 255
    content[starts[0] + 1] = 0x5C
    path.write_bytes(content)
    assert failure(path) == "corrupt"


@pytest.mark.parametrize(
    ("number", "passes"),
    [(errno.ENOMEM, False), (errno.EIO, False), (errno.EPERM, False), (errno.ENOSPC, True),
     (errno.EACCES, True), (errno.EMFILE, True)],
)  # fmt: skip
def test_only_what_the_machine_is_at_fault_for_passes(number: int, passes: bool) -> None:
    expected = av.error.FFmpegError if passes else ClipError
    with pytest.raises(expected), clip_errors(Path("a.mp4"), "corrupt"):
        av.error.err_check(-number)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert failure(tmp_path / "nothing.mp4") == "missing"
    assert failure(tmp_path) == "missing"
    (tmp_path / "file").write_bytes(b"x")
    assert failure(tmp_path / "file" / "a.mp4") == "missing"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    assert failure(write_audio(tmp_path / "a.mp4")) == "no_video"


@pytest.mark.parametrize("keep", [0.5, 0.9])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {}),
        ("front.mp4", {"muxer_options": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.webm", {"codec": "vp9"}),
        ("a.avi", {"codec": "mpeg4"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cut_file_is_corrupt(
    tmp_path: Path, name: str, options: dict[str, object], keep: float
) -> None:
    whole = write_clip(tmp_path / name, frames=40, **options)  # type: ignore[arg-type]
    assert len(index_video(whole).packet_pts) == 40
    assert failure(cut_file(whole, tmp_path / f"cut_{name}", keep=keep)) == "corrupt"
