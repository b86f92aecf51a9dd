"""The mp4 file itself: its scale, its edit, its comment."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from reelpack.clips.cut.mp4 import (
    choose_timescale,
    open_mp4,
    read_comment,
    set_shown_ticks,
    write_packets,
)
from reelpack.core.errors import ClipError
from reelpack.video.boxes import movie_seconds
from reelpack.video.index import index_video
from tests.support.clips import write_clip


@pytest.mark.parametrize(
    ("time_base", "scale"),
    [("1/25", 12800), ("1001/30000", 30000), ("1/1000", 16000), ("1/90000", 90000), ("1", 16384)],
)
def test_a_scale_holds_every_tick(time_base: str, scale: int) -> None:
    assert choose_timescale(Fraction(time_base)) == scale
    assert (scale * Fraction(time_base)).denominator == 1


def test_ticks_that_are_too_short() -> None:
    with pytest.raises(ClipError, match="too fine for an mp4 file") as caught:
        choose_timescale(Fraction(1, 1 << 31))
    assert caught.value.failure == "trim"


def copy(source: Path, target: Path, *, first: int, sound: bool) -> None:
    """Copy a file so that the frame at tick `first` of its track becomes the first shown."""
    with av.open(str(source)) as file, open_mp4(target, scale=12800, comment="c") as output:
        streams = file.streams.video + (file.streams.audio if sound else ())
        tracks = {s.index: output.add_stream_from_template(s, opaque=True) for s in streams}
        packets = {index: [] for index in tracks}
        for packet in file.demux(streams):
            if packet.size:
                shift = int(first / 12800 / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packets[packet.stream.index].append(packet)
        for index, track in tracks.items():
            for packet in packets[index]:
                packet.stream = track
        write_packets(output, *packets.values())


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(("first", "shown"), [(0, 12), (5, 12), (5, 1), (7, 23)])
def test_the_edit_shows_the_span_alone(tmp_path: Path, first: int, shown: int, sound: bool) -> None:
    source = write_clip(tmp_path / "a.mp4", frames=30, audio_seconds=1.2)
    assert index_video(source).time_base == Fraction(1, 12800)
    copy(source, tmp_path / "b.mp4", first=first * 512, sound=sound)
    set_shown_ticks(tmp_path / "b.mp4", shown * 512)
    index = index_video(tmp_path / "b.mp4")
    assert index.pts.tolist() == [512 * number for number in range(shown)]
    assert index.has_audio == sound
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert file.streams.video[0].duration == shown * 512
    # The movie lasts as long as its longest track.
    seconds = movie_seconds(tmp_path / "b.mp4")
    assert seconds == pytest.approx(shown / 25) if not sound else seconds >= shown / 25


def test_a_file_without_a_video_track_has_no_edit(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0")
    with pytest.raises(ValueError, match="no edit list"):
        set_shown_ticks(tmp_path / "a.mp4", 1)


def test_comments(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", frames=3, audio_seconds=0.2)
    copy(source, tmp_path / "b.mp4", first=0, sound=False)
    assert read_comment(tmp_path / "b.mp4") == "c"
    assert read_comment(source) is None
    assert read_comment(tmp_path / "none.mp4") is None
    (tmp_path / "text.mp4").write_text("no video")
    assert read_comment(tmp_path / "text.mp4") is None
