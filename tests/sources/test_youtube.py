"""yt-dlp behind one function: choice of streams, classes of errors, and downloads from a loopback server."""

import os
import threading
from dataclasses import replace

import av
import numpy as np
import pytest
import yt_dlp

from reelpack.core.errors import FAILURE_CLASSES, ClipError, UserError
from reelpack.sources.base import Limits
from reelpack.sources.youtube import FAILURES, choose_format, classify, fetch_youtube, ydl_options
from tests.sources import server as web
from tests.support.clips import write_audio, write_clip

QUICK = Limits(
    attempts=2,
    read_seconds=0.5,
    total_seconds=20,
    max_bytes=1 << 22,
    backoff_seconds=0.01,
    max_backoff_seconds=0.02,
)
HINT = (
    "Use --cookies-from-browser or --cookies for the authentication. See"
    "  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to"
    " manually pass cookies. Also see"
    "  https://github.com/yt-dlp/yt-dlp/wiki/Extractors#exporting-youtube-cookies  for tips on"
    " effectively exporting YouTube cookies"
)
GONE = "Video unavailable. This video is no longer available "
MESSAGES = [
    (f"Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. {HINT}", "bot_check"),
    (f"Sign in to confirm you're not a bot. {HINT}", "bot_check"),
    ("Video unavailable. YouTube is requiring a captcha challenge before playback", "bot_check"),
    (
        "Video unavailable. This content isn't available, try again later. The current session has been"
        " rate-limited by YouTube for up to an hour. It is recommended to use `-t sleep`",
        "rate_limited",
    ),
    (
        "Unable to download API page: HTTP Error 429: Too Many Requests"
        " (caused by <HTTPError 429: Too Many Requests>)",
        "rate_limited",
    ),
    (f"Sign in to confirm your age. This video may be inappropriate for some users. {HINT}", "age"),
    ("This video is age-restricted and YouTube is requiring account age-verification", "age"),
    ("The uploader has not made this video available in your country", "geo"),
    (
        "Video unavailable. This video contains content from UMG, who has blocked it in your country"
        " on copyright grounds",
        "geo",
    ),
    ("This video is not available from your location due to geo restriction", "geo"),
    ("Video unavailable. The uploader has not made this video available in your country.", "geo"),
    (f"Private video. Sign in if you've been granted access to this video. {HINT}", "private"),
    (
        "Join this channel to get access to members-only content like this video, and other"
        " exclusive perks.",
        "private",
    ),
    (
        "This video is available to this channel's members on level: Fan (or any higher level)."
        " Join this channel to get access to members-only content and other exclusive perks.",
        "private",
    ),
    ("This video is only available to Music Premium members", "private"),
    ("This video requires payment to watch", "private"),
    (f"Please sign in. {HINT}", "private"),
    ("This video is only available for registered users. Use --cookies", "private"),
    ("This video is DRM protected", "private"),
    (GONE + "because the YouTube account associated with this video has been terminated.", "gone"),
    (GONE + "due to a copyright claim by Sony", "gone"),
    ("Video unavailable. This video has been removed by the uploader", "gone"),
    ("This video has been removed for violating YouTube's policy on hate speech.", "gone"),
    ("Video unavailable", "gone"),
    ("Video unavailable. This video is not available", "gone"),
    ("This live stream recording is not available.", "gone"),
    ("This live event has ended.", "gone"),
    ("This live event will begin in 5 hours.", "missing"),
    ("Premieres in 3 days", "missing"),
    ("We're processing this video. Check back later.", "missing"),
    ("The channel is not currently live", "missing"),
    ("Requested format is not available. Use --list-formats for a list", "missing"),
    ("No video formats found!; please report this issue", "missing"),
    ("Incomplete YouTube ID abc. URL https://youtu.be/abc looks truncated.", "missing"),
    ("Unsupported URL: http://127.0.0.1/", "missing"),
    ("unable to download video data: HTTP Error 403: Forbidden", "network"),
    ("Failed to extract any player response; please report this issue", "network"),
    ("YouTube said: ERROR - An error occurred. Please try again later.", "network"),
    ("Downloaded 10 bytes, expected 20 bytes. content too short", "network"),
    ("unable to download video data: 100 bytes read, 50 more expected", "network"),
    (
        "Unable to download webpage: Failed to resolve 'www.youtube.com' ([Errno -2] Name or service"
        " not known)",
        "network",
    ),
    ("Unable to download API page: HTTP Error 503: Service Unavailable", "network"),
    ("Unable to download webpage: ('Connection aborted.', ConnectionResetError(104))", "network"),
    (
        "unable to download video data: HTTPConnectionPool: Read timed out. (read timeout=20)",
        "timeout",
    ),
    ("The read operation timed out", "timeout"),
    ("Unable to extract yt initial data; please report this issue", "missing"),
]


@pytest.mark.parametrize(("text", "failure"), MESSAGES)
@pytest.mark.parametrize("prefix", ["", "[youtube] dQw4w9WgXcQ: "])
def test_messages_have_a_class(text, failure, prefix):
    assert classify(prefix + text) == failure


def test_every_pattern_is_of_a_known_class():
    assert {failure for _, failure in FAILURES} <= set(FAILURE_CLASSES)


@pytest.mark.parametrize(
    "pattern",
    [
        "isn't available, try again later",
        "has been rate-limited by YouTube",
        "captcha challenge before playback",
        "The uploader has not made this video available in your country",
        "Failed to extract any player response",
        "age-restricted and YouTube is requiring",
    ],
)
def test_the_installed_yt_dlp_still_says_so(pattern):
    folder = os.path.dirname(yt_dlp.__file__)  # noqa: PTH120
    with open(f"{folder}/extractor/youtube/_video.py", encoding="utf-8") as stream:  # noqa: PTH123
        assert pattern in stream.read()


def stream(name, width=0, height=0, size=None, **extra):
    kind = {"vcodec": "avc1", "acodec": "none", "protocol": "https"}
    return {"format_id": name, "width": width, "height": height, "filesize": size, **kind, **extra}


SOUND = {"vcodec": "none", "acodec": "mp4a"}
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


def test_options_are_translated(tmp_path):
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n")
    result = ydl_options(
        {
            "cookies": str(cookies),
            "proxy": "socks5://127.0.0.1:9050",
            "bytes_per_second": 1_000_000,
            "sleep_requests_seconds": 0.75,
            "sleep_seconds": 10,
            "max_sleep_seconds": 20,
            "js_runtimes": ["node"],
            "player_clients": ["tv", "web_safari"],
        }
    )
    assert result.pop("cookiefile").read() == "# Netscape HTTP Cookie File\n"
    assert result == {
        "proxy": "socks5://127.0.0.1:9050",
        "ratelimit": 1e6,
        "sleep_interval_requests": 0.75,
        "sleep_interval": 10,
        "max_sleep_interval": 20,
        "js_runtimes": {"node": {}},
        "extractor_args": {"youtube": {"player_client": ["tv", "web_safari"]}},
    }
    with yt_dlp.YoutubeDL({**result, "quiet": True}):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exec": "rm"}, "unknown option 'exec'; allowed: bytes_per_second, cache"),
        ({"postprocessors": []}, "unknown option"),
        ({"cookies": "/nowhere/cookies.txt"}, "No such file"),
        ({"proxy": "file:///etc/passwd"}, "not the address of a proxy"),
        ({"bytes_per_second": "1M"}, "not a number"),
        ({"bytes_per_second": 0}, "not above 0"),
        ({"sleep_seconds": float("nan")}, "not above 0"),
        ({"max_sleep_seconds": 5}, "needs sleep_seconds"),
        ({"js_runtimes": ["bash"]}, "allowed: bun, deno, node, quickjs"),
        ({"player_clients": "web"}, "not a list"),
    ],
)
def test_other_options_are_a_mistake(options, said):
    with pytest.raises(UserError, match=said) as caught:
        ydl_options(options)
    assert "\n" not in str(caught.value)


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def site():
    with web.running() as running:
        yield running


@pytest.fixture
def target(tmp_path):
    return tmp_path / "videos" / "abcdefghijk_000001_000011.mp4"


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    return write_clip(path, frames=100, muxer_options={"movflags": "faststart"}, audio_seconds=4)


@pytest.fixture(scope="session")
def content(clip):
    return clip.read_bytes()


def names(target):
    return sorted(each.name for each in target.parent.iterdir()) if target.parent.exists() else []


def fetch(url, target, limits=QUICK, **options):
    return fetch_youtube(url, target, **{"wanted_side": 256, "limits": limits, **options})


def fails(url, target, limits=QUICK, **options) -> ClipError:
    with pytest.raises(ClipError) as caught:
        fetch(url, target, limits, **options)
    assert not target.exists()
    assert "\n" not in caught.value.message
    return caught.value


def test_a_direct_file_arrives_under_its_name(site, target, content, capfd):
    url = site.add("/v/other%20name.mp4", web.serve(content))
    got = fetch(url, target)
    assert target.read_bytes() == content
    assert (got.path, got.bytes, got.resumed_bytes, got.attempts) == (target, len(content), 0, 1)
    assert names(target) == [target.name]
    assert "".join(capfd.readouterr()) == ""
    asked = len(site.seen)
    assert fetch(url, target).attempts == 0
    assert len(site.seen) == asked


def cut_files(content):
    """First the request that tells what the address is, then the download's."""
    return [web.serve(content), web.serve(content, cut_at=len(content) // 2)]


def test_a_cut_file_is_resumed_in_one_run(site, target, content):
    url = site.add("/a.mp4", *cut_files(content), web.serve(content))
    got = fetch(url, target)
    assert got.attempts == 2
    assert site.seen[-1].headers["Range"].startswith("bytes=1")
    assert target.read_bytes() == content


def test_a_cut_file_is_resumed_by_the_next_run(site, target, content):
    url = site.add("/a.mp4", *cut_files(content))
    assert fails(url, target, replace(QUICK, attempts=1)).failure == "network"
    url = site.add("/a.mp4", web.serve(content))
    got = fetch(url, target)
    assert got.attempts == 1
    assert 0 < got.resumed_bytes <= len(content) // 2
    assert site.seen[-1].headers["Range"] == f"bytes={got.resumed_bytes}-"
    assert target.read_bytes() == content
    assert names(target) == [target.name]


@pytest.mark.parametrize(
    ("code", "failure"),
    [(404, "gone"), (410, "gone"), (401, "private"), (403, "private"), (429, "rate_limited"),
     (451, "geo"), (500, "network"), (503, "network")],
)  # fmt: skip
def test_statuses(site, target, code, failure):
    error = fails(site.add("/a.mp4", web.status(code)), target)
    assert error.failure == failure
    assert str(code) in error.message


def test_a_page_is_no_video(site, target):
    url = site.add(
        "/a.mp4", web.status(200, b"<html><body>hi</body></html>", Content_Type="text/html")
    )
    assert fails(url, target).failure == "missing"


def test_a_page_that_says_it_is_a_video_is_corrupt(site, target):
    assert fails(site.add("/a.mp4", web.page()), target).failure == "corrupt"


def test_a_stall_is_a_timeout(site, target, content):
    url = site.add("/a.mp4", web.serve(content), web.stall(content, after=100))
    assert fails(url, target, replace(QUICK, attempts=1)).failure == "timeout"


def test_nobody_listens(target):
    assert fails(web.closed_port() + "/a.mp4", target).failure == "network"


def test_too_large_a_file_is_refused_and_leaves_nothing(site, target, content):
    url = site.add("/a.mp4", web.serve(content))
    assert fails(url, target, replace(QUICK, max_bytes=1000)).failure == "refused"
    assert names(target) == []


@pytest.mark.parametrize(
    "video",
    ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "../../etc/passwd", "--exec=touch x", "$(id)", "a\nb",
     "", "ytsearch:cats", "x" * 300, "http://127.0.0.1/a b", "dQw4w9WgXc"],
)  # fmt: skip
def test_hostile_videos_are_refused(target, video):
    assert fails(video, target).failure == "refused"
    assert names(target) == []


def test_a_redirect_to_a_file_brings_nothing(site, target):
    error = fails(site.add("/a.mp4", web.redirect("file:///etc/passwd")), target)
    assert error.failure in FAILURE_CLASSES
    assert names(target) in ([], [path for path in names(target) if path.startswith(".")])


def test_cookies_are_sent_and_the_user_s_file_stays_as_it_is(site, target, content, tmp_path):
    cookies = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tname\tvalue\n"
    cookies.write_text(text)
    fetch(site.add("/a.mp4", web.serve(content)), target, options={"cookies": str(cookies)})
    assert "name=value" in site.seen[-1].headers["Cookie"]
    assert cookies.read_text() == text


def test_a_full_disk_is_no_failure_of_the_clip(site, target, content, monkeypatch):
    url = site.add("/a.mp4", web.serve(content))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(yt_dlp.downloader.http.HttpFD, "sanitize_open", full)
    with pytest.raises(OSError, match="No space"):
        fetch(url, target)
    assert not target.exists()


def test_two_at_once_fetch_a_file_once(site, target, content):
    url = site.add("/a.mp4", web.serve(content, delay_seconds=0.1))
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch(url, target))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.attempts for each in results) == [0, 1]
    assert names(target) == [target.name]


def answer_with(monkeypatch, **info):
    """Let the extractor answer with ready-made information, as YouTube's would."""

    def extract_info(self, url, download):
        return self.process_ie_result(
            {"id": "x", "title": "x", "webpage_url": url, **info}, download
        )

    monkeypatch.setattr(yt_dlp.YoutubeDL, "extract_info", extract_info)


def youtube_like(site, tmp_path, content):
    sound = write_audio(tmp_path / "sound.m4a", seconds=4).read_bytes()
    silent = write_clip(tmp_path / "silent.mp4", frames=100).read_bytes()
    site.add("/small.mp4", web.serve(silent))
    site.add("/large.mp4", web.serve(content))
    site.add("/sound.m4a", web.serve(sound, content_type="audio/mp4"))
    return [
        stream("134", 480, 360, 9, url=site.address + "/large.mp4", ext="mp4", acodec="mp4a"),
        stream("133", 320, 240, 5, url=site.address + "/small.mp4", ext="mp4"),
        stream("140", size=2, url=site.address + "/sound.m4a", ext="m4a", **SOUND),
    ]


def test_the_chosen_stream_is_fetched_and_no_other(site, target, tmp_path, content, monkeypatch):
    answer_with(monkeypatch, formats=youtube_like(site, tmp_path, content))
    fetch("dQw4w9WgXcQ", target, wanted_side=240)
    assert {each.path for each in site.seen} == {"/small.mp4"}
    assert target.read_bytes() == (tmp_path / "silent.mp4").read_bytes()


def test_video_and_audio_are_joined(site, target, tmp_path, content, monkeypatch):
    answer_with(monkeypatch, formats=youtube_like(site, tmp_path, content))
    fetch("dQw4w9WgXcQ", target, wanted_side=240, audio=True)
    assert {each.path for each in site.seen} == {"/small.mp4", "/sound.m4a"}
    with av.open(str(target)) as joined:
        assert [each.type for each in joined.streams] == ["video", "audio"]
    assert names(target) == [target.name]


@pytest.mark.parametrize("live", [{"is_live": True}, {"live_status": "is_upcoming"}])
def test_live_events_are_missing(site, target, tmp_path, content, monkeypatch, live):
    answer_with(monkeypatch, formats=youtube_like(site, tmp_path, content), **live)
    assert fails("dQw4w9WgXcQ", target).failure == "missing"
    assert site.seen == []


def shown_pictures(path):
    """Pictures with their times in seconds, edit lists applied."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [
        (round(frame.time, 3), frame.to_ndarray(format="rgb24"))
        for frame in frames
        if frame.time >= 0
    ]


@pytest.mark.parametrize("start", [0.0, 1.0, 1.24, 1.92])
def test_a_section_shows_the_pictures_of_its_window(site, target, clip, content, start):
    url = site.add("/a.mp4", web.serve(content))
    fetch(url, target, section=(start, start + 1))
    whole = [(round(time - start, 3), pixels) for time, pixels in shown_pictures(clip)]
    wanted = [each for each in whole if 0 <= each[0] < 1]
    found = [each for each in shown_pictures(target) if each[0] < 1]
    assert [time for time, _ in found] == [time for time, _ in wanted]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, wanted, strict=True))


@pytest.mark.parametrize("section", [(2, 1), (1, 1), (-1, 1), (float("nan"), 1)])
def test_a_section_out_of_order_is_refused(target, section):
    assert fails("dQw4w9WgXcQ", target, section=section).failure == "refused"
