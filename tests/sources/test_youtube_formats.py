"""The smallest streams that serve are chosen, in whatever order they come."""

import pytest

from reelpack.sources.youtube_formats import choose_format
from tests.sources.streams import SOUND, stream

FORMATS = [
    stream("sb0", 160, 90, 1, vcodec="none", protocol="mhtml"),
    stream("139", size=5, **SOUND),
    stream("140", size=15, **SOUND),
    stream("160", 256, 144, 10),
    stream("133", 426, 240, 20),
    stream("394", 426, 240, 12, vcodec="av01"),
    stream("hls240", 426, 240, 1, protocol="m3u8_native"),
    stream("18", 640, 360, 60, acodec="mp4a"),
    stream("134", 640, 360, 40),
    stream("135", 854, 480, 80),
    stream("ffmpeg", 854, 480, 1, protocol="rtmp"),
]


@pytest.mark.parametrize(
    ("side", "audio", "names"),
    [
        (128, False, ["160"]),
        (144, False, ["160"]),
        (145, False, ["394"]),
        (256, False, ["134"]),
        (480, False, ["135"]),
        (1080, False, ["135"]),
        (None, False, ["135"]),
        (128, True, ["160", "139"]),
        (360, True, ["18"]),
        (480, True, ["135", "139"]),
        (None, True, ["135", "139"]),
    ],
)
def test_the_smallest_stream_that_serves(side, audio, names):
    for formats in (FORMATS, FORMATS[::-1]):
        chosen = choose_format(formats, wanted_side=side, audio=audio)
        assert [each["format_id"] for each in chosen] == names


def test_portrait_videos_count_by_their_shorter_side():
    formats = [stream("a", 144, 256, 1), stream("b", 240, 426, 2), stream("c", 360, 640, 3)]
    assert choose_format(formats, wanted_side=240, audio=False)[0]["format_id"] == "b"


def test_streams_of_unknown_size_and_no_video():
    direct = {"format_id": "0", "protocol": "http", "url": "x"}
    assert choose_format([direct], wanted_side=256, audio=False) == [direct]
    assert choose_format([direct], wanted_side=256, audio=True) == [direct]
    assert choose_format([FORMATS[1]], wanted_side=256, audio=False) == []
    assert choose_format([], wanted_side=None, audio=True) == []
