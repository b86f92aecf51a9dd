"""Windows of one file cost what their own frames cost: it is indexed once, sought, and left open."""

import errno
import os
from pathlib import Path
from typing import Any

import av.error
import numpy as np
import pytest

from reelpack.core.errors import ClipError
from reelpack.video import decode, kept, source
from reelpack.video.decode import DecodedFrame, decode_frames
from reelpack.video.geometry import Scale
from reelpack.video.index import index_video
from reelpack.video.kept import FileKey, KeptIndexes, KeptPackets
from reelpack.video.sampling import Sampling
from reelpack.video.source import Source, open_source, raise_clip_error
from tests.support.clips import write_clip
from tests.video.program import run

EVERY = Sampling(every=True)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDEXED", "DECODED"):
        monkeypatch.setattr(kept, name, KeptIndexes())
    monkeypatch.setattr(kept, "_UNSOUGHT", set())
    monkeypatch.setattr(kept, "_LAST", [])


class Reads:
    """What is read of files: packets, and how often one is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.packets = self.opened = 0
        demuxed, start = Source._demuxed, Source.__init__

        def count_packets(self_: Source) -> Any:
            for packet in demuxed(self_):
                self.packets += 1
                yield packet

        def count_opened(*arguments: Any, **options: Any) -> None:
            self.opened += 1
            start(*arguments, **options)

        monkeypatch.setattr(Source, "_demuxed", count_packets)
        monkeypatch.setattr(Source, "__init__", count_opened)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def window(path: Path, start: float, seconds: float = 1.0, **options: Any) -> list[DecodedFrame]:
    found = decode_frames(
        path,
        **{"sampling": EVERY, "scales": [Scale()], **options},
        start_seconds=start,
        end_seconds=start + seconds,
    )
    return list(found)


def same(left: list[DecodedFrame], right: list[DecodedFrame]) -> bool:
    return len(left) == len(right) > 0 and all(
        a.pts_seconds == b.pts_seconds and np.array_equal(a.pixels[0], b.pixels[0])
        for a, b in zip(left, right, strict=True)
    )


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "a.mp4"
    run(
        *["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=600", "-c:v", "libx264"],
        *["-preset", "ultrafast", "-bf", "2", "-g", "50", "-threads", "1"],
        path,
    )
    return path


def test_sixty_windows_read_the_file_little_more_than_once(ten_minutes: Path, reads: Reads) -> None:
    window(ten_minutes, 0)
    whole, window_packets = reads.packets, 25
    assert whole <= 15_000 + 200
    for number in range(60):
        assert len(window(ten_minutes, 10 * number + 0.5)) == 25
    # A group of frames is 50 packets; some more are read ahead of the window's first one.
    assert reads.packets - whole <= 60 * (2 * 50 + window_packets)
    assert reads.opened == 1


def test_windows_one_behind_the_other_read_on(ten_minutes: Path, reads: Reads) -> None:
    window(ten_minutes, 100, 2)
    before = reads.packets
    for number in range(1, 11):
        assert len(window(ten_minutes, 100 + 2 * number, 2)) == 50
    assert reads.packets - before <= 11 * 53
    assert reads.opened == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.mpg", "a.flv", "a.webm"])
@pytest.mark.parametrize("hold", [True, False])
def test_sought_windows_show_what_decoding_everything_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hold: bool
) -> None:
    if not hold:
        monkeypatch.setattr(decode, "KEPT_BYTES", 100)
    codec = {"a.mpg": "mpeg2video", "a.webm": "vp9"}.get(name, "h264")
    path = write_clip(tmp_path / name, codec=codec, frames=300, gop=20)
    for start in (9.0, 0.0, 0.3, 4.5, 4.5, 2.2, 11.5):
        assert same(window(path, start), window(path, start, indexed=False)), start


def test_hidden_frames_and_sound_do_not_disturb_a_seek(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=300, gop=20, first_stamp=-7, audio_seconds=12.0)
    for start in (9.0, 0.0, 4.5):
        assert same(window(path, start), window(path, start, indexed=False)), start


@pytest.mark.parametrize("shift", [60, None])
def test_a_file_that_is_sought_wrongly_is_read_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: Reads, shift: int | None
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=300, gop=20)
    expected = [window(path, start, indexed=False) for start in (9.0, 4.5, 2.0)]
    seek = Source.seek

    def miss(self: Source, pts: int) -> None:
        if shift is None:
            raise av.error.OSError(errno.EPERM, "no seeking")
        seek(self, pts + shift * 512)

    monkeypatch.setattr(Source, "seek", miss)
    reads.opened = 0
    for start, frames in zip((9.0, 4.5, 2.0), expected, strict=True):
        assert same(window(path, start), frames)
    # The first window has its packets in hand; only the second one tries to seek.
    assert reads.opened == 3


def test_packets_that_differ_behind_a_seek_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=300, gop=20)
    expected = window(path, 4.5, indexed=False)
    window(path, 0.0)
    packets = Source.packets

    def with_another(self: Source, *, mend: bool = True) -> Any:
        for number, packet in enumerate(packets(self, mend=mend)):
            if not mend and number == 7 and set() == kept._UNSOUGHT:
                packet.pts += 1
            yield packet

    monkeypatch.setattr(Source, "packets", with_another)
    assert same(window(path, 4.5), expected)
    assert len(kept._UNSOUGHT) == 1


def test_a_changed_file_is_indexed_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=100, gop=20)
    window(path, 1.0)
    write_clip(path, frames=60, gop=20, width=96)
    os.utime(path, (1, 1))
    assert [frame.pixels[0].shape for frame in window(path, 2.0)] == [(48, 96, 3)] * 10


def test_two_readers_of_a_file_do_not_meet(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=200, gop=20)
    expected = window(path, 2.0), window(path, 5.0)
    pair = [
        decode_frames(
            path, sampling=EVERY, scales=[Scale()], start_seconds=start, end_seconds=start + 1
        )
        for start in (2.0, 5.0)
    ]
    found = list(zip(*pair, strict=True))
    assert same([one for one, _ in found], expected[0])
    assert same([two for _, two in found], expected[1])


def test_whole_clips_leave_no_file_open(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=20)
    list(decode_frames(path, sampling=EVERY, scales=[Scale()]))
    assert kept._LAST == []
    window(path, 0.2, 0.2)
    assert len(kept._LAST) == 1
    other = write_clip(tmp_path / "b.mp4", frames=20)
    list(decode_frames(other, sampling=EVERY, scales=[Scale()]))
    assert kept._LAST == []


def test_packets_count_with_what_python_keeps_of_them(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "a.mp4", frames=20)) as opened:
        packets = list(opened.packets())
    content = sum(packet.size for packet in packets)
    for limit, count in ((content + 20 * 1024, 20), (content + 19 * 1024, None)):
        held = KeptPackets(limit)
        for packet in packets:
            held.append(packet)
        assert (held.packets and len(held.packets)) == count


def test_the_oldest_indexes_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_clip(tmp_path / f"{name}.mp4", frames=20) for name in "abc"]
    keys = [FileKey.of(path, "first") for path in paths]
    monkeypatch.setattr(kept, "INDEX_BYTES", 2 * 20 * 80)
    indexes = KeptIndexes()
    for key, path in zip(keys, paths, strict=True):
        indexes.put(key, index_video(path))
        indexes.get(keys[0])
    assert [indexes.get(key) is not None for key in keys] == [True, False, True]
    monkeypatch.setattr(kept, "INDEX_BYTES", 0)
    indexes.put(keys[1], index_video(paths[1]))
    assert [indexes.get(key) is not None for key in keys] == [False, True, False]


def test_frames_beyond_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=2)
    monkeypatch.setattr(source, "MAX_FRAME_PIXELS", 64 * 48 - 1)
    with pytest.raises(ClipError, match=r"refused: .*: frames of 64x48 pixels; allowed: 3071"):
        index_video(path)


def test_one_rule_says_whose_fault_an_error_of_libav_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for error, failure in (
        (av.error.OSError(errno.ESTALE, "stale"), "machine"),
        (MemoryError("no memory"), "machine"),
        (av.error.OSError(errno.EIO, "failing"), "corrupt"),
        (KeyError("no such format"), "corrupt"),
        (IndexError("no such stream"), "corrupt"),
    ):
        with pytest.raises(ClipError) as caught:
            raise_clip_error(path, "corrupt", error)
        assert caught.value.failure == failure
        assert str(path) in caught.value.message
    with pytest.raises(av.error.OSError):
        raise_clip_error(path, "corrupt", av.error.OSError(errno.ENOSPC, "disk full"))
