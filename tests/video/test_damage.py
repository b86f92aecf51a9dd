"""What counts as damage, on files made here: no good clip lost, no bad one kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelpack.config.sampling import Sampling
from reelpack.core.errors import ClipError
from reelpack.video import damage
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.index import index_video
from tests.support.clips import write_clip
from tests.video import program

RULES = (
    Sampling(every=True),
    Sampling(fps=Fraction(2)),
    Sampling(uniform=3),
    Sampling(violet=5),
    Sampling(favd=4),
)
OPEN_GOP = "open-gop=1:keyint=15:min-keyint=15:bframes=3:b-adapt=0:scenecut=0"


def count(path: Path, sampling: Sampling = RULES[0], **window: float) -> int:
    frames = decode_frames(path, sampling=sampling, scales=[Scale(shorter_side=24)], **window)
    return len(list(frames))


def failure(path: Path, sampling: Sampling = RULES[0], **window: float) -> ClipError:
    with pytest.raises(ClipError) as caught:
        count(path, sampling, **window)
    assert str(path) in caught.value.message
    return caught.value


def of_program(path: Path) -> int:
    return len(program.every_frame(path, (32, 24)).frames)


def source(folder: Path, name: str, *encoder: str, seconds: float = 4) -> Path:
    path = folder / name
    picture = f"testsrc2=size=96x64:rate=25:duration={seconds},noise=alls=9:all_seed=3"
    chain = ["-pix_fmt", "yuv420p", "-threads", "1"]
    program.run("-f", "lavfi", "-i", picture, *chain, *encoder, path)
    return path


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(
    "encoder",
    [
        ("-c:v", "libx264", "-preset", "veryfast", "-x264-params", OPEN_GOP),
        ("-c:v", "mpeg2video", "-bf", "2", "-g", "12"),
    ],
    ids=["h264", "mpeg2"],
)
def test_open_groups_cut_by_copy(tmp_path: Path, ending: str, encoder: tuple[str, ...]) -> None:
    whole = source(tmp_path, f"whole.{ending}", *encoder)
    path = tmp_path / f"cut.{ending}"
    program.run("-ss", "1.3", "-i", whole, "-t", "2", "-c", "copy", path)
    for sampling in RULES:
        assert count(path, sampling) >= 1
    assert count(path) == of_program(path)


def test_a_recording_that_begins_in_mid_stream(tmp_path: Path) -> None:
    whole = source(tmp_path, "whole.ts", "-c:v", "libx264", "-g", "50", "-preset", "veryfast")
    content = whole.read_bytes()
    path = tmp_path / "mid.ts"
    # The tables of programmes first, then what comes behind a third of the file.
    path.write_bytes(content[: 3 * 188] + content[len(content) // 564 * 188 :])
    assert 0 < count(path) == of_program(path) < 75


def test_joined_recordings(tmp_path: Path) -> None:
    one = source(tmp_path, "one.ts", "-c:v", "libx264", "-preset", "veryfast", seconds=2)
    path = tmp_path / "joined.ts"
    path.write_bytes(one.read_bytes() * 2)
    assert [count(path, sampling) for sampling in RULES[:3]] == [100, 8, 3]
    assert count(path, start_seconds=2.0, end_seconds=3.0) == 25


def rewritten(whole: Path, path: Path, change: Callable[[int, bytes], bytes | None]) -> Path:
    """Copy a file packet by packet; None leaves one out."""
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        track = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            content = change(number, bytes(packet)) if packet.size else None
            if content is None:
                continue
            copy = av.Packet(content)
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
            copy.stream = track
            new.mux(copy)
    return path


def test_a_cut_side_message_harms_no_frame(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", frames=40)
    message = b"\x00\x00\x00\x04\x06\x05\x78\x01"
    path = rewritten(whole, tmp_path / "b.mp4", lambda _, content: message + content)
    assert "SEI" in program.every_frame(path, (32, 24)).complaint
    assert [count(path, sampling) for sampling in RULES[:3]] == [40, 3, 3]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "hevc"), ("a.mkv", "hevc")])
def test_a_lost_reference_is_damage(tmp_path: Path, name: str, codec: str) -> None:
    whole = write_clip(tmp_path / name, codec=codec, frames=40, b_frames=0, gop=20, width=96)
    index = index_video(whole)
    lost = next(n for n in range(4, 20) if not index.droppable[n])
    path = rewritten(
        whole, tmp_path / f"b_{name}", lambda n, content: None if n == lost else content
    )
    assert program.every_frame(path, (32, 24)).complaint
    error = failure(path)
    assert error.failure == "decode"
    assert "libav says" in error.message
    assert " s: " in error.message


def test_a_damaged_first_keyframe_is_no_lead_in(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", frames=40, gop=20, width=96)

    def change(number: int, content: bytes) -> bytes:
        return content[:8] + bytes(len(content) - 8) if number == 0 else content

    assert failure(rewritten(whole, tmp_path / "b.mp4", change)).failure == "decode"


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_damaged_first_keyframe_that_the_container_lists(tmp_path: Path, ending: str) -> None:
    whole = source(tmp_path, "whole.mkv", "-c:v", "libx264", "-x264-params", OPEN_GOP)
    path = tmp_path / f"a.{ending}"
    program.run("-ss", "1.0", "-i", whole, "-c", "copy", path)
    assert count(path) == of_program(path)
    with av.open(str(path)) as container:
        first = next(iter(container.demux(video=0)))
        assert first.pos is not None
        place, size = first.pos, first.size
    content = bytearray(path.read_bytes())
    content[place + 60 : place + size - 10] = bytes(size - 70)
    path.write_bytes(content)
    assert program.every_frame(path, (32, 24)).complaint
    assert failure(path).failure == "decode"


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_start_inside_an_intra_refresh(tmp_path: Path, ending: str) -> None:
    refresh = ("-c:v", "libx264", "-bf", "0", "-x264-params", "intra-refresh=1:keyint=20")
    whole = source(tmp_path, "whole.mkv", *refresh)
    path = tmp_path / f"a.{ending}"
    program.run("-ss", "1.3", "-i", whole, "-c", "copy", path)
    assert count(path) == of_program(path) > 30
    assert count(path, RULES[1])


def test_an_avi_file_cut_in_its_index(tmp_path: Path) -> None:
    path = source(tmp_path, "a.avi", "-c:v", "mpeg4")
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"idx1") + 100])
    assert count(path) == 100
    path.write_bytes(content[: content.rindex(b"idx1") - 5000])
    assert failure(path).failure == "corrupt"


@pytest.mark.parametrize("name", ["a.webm", "a.mkv"])
def test_a_hole_in_the_file(tmp_path: Path, name: str) -> None:
    whole = write_clip(tmp_path / name, codec="vp9", frames=60, width=96)
    content = bytearray(whole.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    whole.write_bytes(content)
    for sampling in RULES:
        error = failure(whole, sampling)
        assert error.failure == "corrupt"
        assert "libav says" in error.message


def test_strict_gives_every_rule_the_same_clips(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mp4", frames=100, gop=10, b_frames=0, width=96)

    def change(number: int, content: bytes) -> bytes:
        return content[:40] + bytes(len(content) - 40) if number == 95 else content

    path = rewritten(whole, tmp_path / "b.mp4", change)
    assert failure(path).failure == "decode"
    assert count(path, Sampling(uniform=3)) == 3
    for rule in ({"fps": Fraction(2)}, {"uniform": 3}, {"violet": 5}, {"favd": 4}):
        assert failure(path, Sampling(**rule, damage="strict")).failure == "decode"
    window = {"start_seconds": 0.0, "end_seconds": 2.0}
    assert count(path, Sampling(uniform=3, damage="strict"), **window) == 3


def test_empty_frames_of_avi_files(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.avi", codec="mpeg4", frames=12, b_frames=0,
        stamps=[0, 1, 2, 6, 7, 15, 16, 17, 40, 41, 42, 43],
    )  # fmt: skip
    assert count(path) == 12 == of_program(path)


@pytest.mark.parametrize("ending", ["mpg", "vob", "m2v"])
def test_windows_of_files_without_stamps(tmp_path: Path, ending: str) -> None:
    path = source(tmp_path, f"a.{ending}", "-c:v", "mpeg2video", "-bf", "2")
    assert index_video(path).duration_seconds in (0.0, pytest.approx(4.0, abs=0.05))
    assert count(path, Sampling(fps=Fraction(5)), start_seconds=1.0, end_seconds=2.0) == 5
    assert count(path) == 100


def test_a_stamp_twenty_hours_late(tmp_path: Path) -> None:
    stamps = [*range(39), 20 * 3600 * 25]
    path = write_clip(tmp_path / "a.mkv", frames=40, stamps=stamps, b_frames=0)
    assert count(path) == 40
    assert count(path, Sampling(fps=Fraction(5)), start_seconds=0.0, end_seconds=1.0) == 5
    with pytest.raises(ClipError, match=r"corrupt: a time stamp is wrong.*1\.52 s.*\+7"):
        count(path, Sampling(fps=Fraction(2)))


def test_a_still_part_shows_its_frame(tmp_path: Path) -> None:
    stamps = [*range(25), *range(100, 125)]
    path = write_clip(tmp_path / "a.mkv", frames=50, stamps=stamps, b_frames=0)
    for sampling in RULES:
        (frame, *others) = decode_frames(
            path, sampling=sampling, scales=[Scale()], start_seconds=2.0, end_seconds=3.0
        )
        assert frame.pts_seconds == pytest.approx(0.96)
        assert all(np.array_equal(frame.pixels[0], other.pixels[0]) for other in others)
    window = {"start_seconds": 2.0, "end_seconds": 3.0}
    assert count(path, Sampling(fps=Fraction(5)), **window) == 5
    with pytest.raises(ClipError, match="too_short"):
        count(path, start_seconds=5.5, end_seconds=6.0)


@pytest.mark.parametrize(
    "error",
    [
        av.error.PatchWelcomeError(1, "patch welcome"),
        av.error.OSError(38, "not implemented"),
        av.error.PermissionError(1, "not permitted"),
        MemoryError("too large"),
        ValueError("unknown format"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_decoder_raises_is_the_clips_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Broken:
        def decode(self, packet: object) -> list[av.VideoFrame]:
            raise error

        def flush_buffers(self) -> None:
            pass

    path = write_clip(tmp_path / "a.mp4", frames=5)
    monkeypatch.setattr(
        damage.Decoding, "__init__", lambda self, _: setattr(self, "_decoder", Broken())
    )
    assert failure(path).failure == "decode"


def say(writer: str, text: str) -> None:
    logging.getLogger(f"libav.{writer}").error(text)


def test_unknown_complaints_mean_damage() -> None:
    damage.forget()
    for text in ("SEI type 5 size 64 truncated at 3", "mmco: unref short failure"):
        say("h264", text)
    assert damage.complaint_of_decoder() is None
    say("h264", "something nobody has heard of")
    assert damage.complaint_of_decoder() == "something nobody has heard of"
    say("h264", "non-existing PPS 0 referenced")
    assert damage.complaint_of_file() is None
    say("matroska,webm", "File ended prematurely")
    assert damage.complaint_of_file() == "File ended prematurely"
    assert damage.complaint_of_file() is None
