"""Downloads by yt-dlp from a loopback server."""

import threading
from dataclasses import replace

import av
import numpy as np
import pytest
import yt_dlp

from reelpack.core.errors import FAILURE_CLASSES, ClipError
from reelpack.sources.base import Limits
from reelpack.sources.youtube import fetch_youtube
from reelpack.sources.youtube_formats import Needed
from tests.sources import server as web
from tests.sources.streams import SOUND, stream
from tests.support.clips import write_audio, write_clip

QUICK = Limits(
    attempts=2,
    read_seconds=0.5,
    total_seconds=20,
    max_bytes=1 << 22,
    backoff_seconds=0.01,
    max_backoff_seconds=0.02,
)


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


def fetch(url, target, limits=QUICK, options=None, **needed):
    wanted = Needed(**{"wanted_side": 256, **needed})
    return fetch_youtube(url, target, wanted, options=options, limits=limits)


def fails(url, target, limits=QUICK, **needed) -> ClipError:
    with pytest.raises(ClipError) as caught:
        fetch(url, target, limits, **needed)
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


def test_a_page_is_not_a_video(site, target):
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


def test_a_full_disk_is_not_a_failure_of_the_clip(site, target, content, monkeypatch):
    url = site.add("/a.mp4", web.serve(content))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(yt_dlp.downloader.http.HttpFD, "sanitize_open", full)
    with pytest.raises(OSError, match="No space"):
        fetch(url, target)
    assert not target.exists()


def test_two_at_once_fetch_a_file_once(site, target, content):
    url = site.add("/a.mp4", web.delayed(web.serve(content), 0.1))
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


def shown_frames(path):
    """Frames with their times in seconds, edit lists applied."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [
        (round(frame.time, 3), frame.to_ndarray(format="rgb24"))
        for frame in frames
        if frame.time >= 0
    ]


@pytest.mark.parametrize("start", [0.0, 1.0, 1.24, 1.92])
def test_a_section_shows_the_frames_of_its_window(site, target, clip, content, start):
    url = site.add("/a.mp4", web.serve(content))
    fetch(url, target, section=(start, start + 1))
    whole = [(round(time - start, 3), pixels) for time, pixels in shown_frames(clip)]
    wanted = [each for each in whole if 0 <= each[0] < 1]
    found = [each for each in shown_frames(target) if each[0] < 1]
    assert [time for time, _ in found] == [time for time, _ in wanted]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, wanted, strict=True))


@pytest.mark.parametrize("section", [(2, 1), (1, 1), (-1, 1), (float("nan"), 1)])
def test_a_section_out_of_order_is_refused(target, section):
    assert fails("dQw4w9WgXcQ", target, section=section).failure == "refused"
