"""Every way in which a server can answer, and what becomes of it."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from reelpack.sources import http
from reelpack.sources.http import fetch_http
from tests.sources import server as web
from tests.sources.fetches import CONTENT, QUICK, SHA256, fails, files


@pytest.fixture
def target(tmp_path):
    return tmp_path / "videos" / "clip.mp4"


def test_a_file_arrives_whole(site, target):
    url = site.add("/a.mp4", web.serve(CONTENT))
    got = fetch_http([url], target, sha256=SHA256.upper(), size=len(CONTENT), limits=QUICK)
    assert target.read_bytes() == CONTENT
    assert (got.path, got.bytes, got.resumed_bytes, got.attempts) == (target, len(CONTENT), 0, 1)
    assert got.sha256 == SHA256
    assert files(target) == ["clip.mp4"]


def test_a_file_that_is_here_is_not_asked_for(site, target):
    url = site.add("/a.mp4", web.serve(CONTENT))
    fetch_http([url], target, limits=QUICK)
    again = fetch_http([url], target, sha256=SHA256, limits=QUICK)
    assert again.attempts == 0
    assert site.count("/a.mp4") == 1


def test_a_file_that_is_here_but_wrong_is_replaced(site, target):
    target.parent.mkdir()
    target.write_bytes(b"old")
    url = site.add("/a.mp4", web.serve(CONTENT))
    assert fetch_http([url], target, size=len(CONTENT), limits=QUICK).attempts == 1
    assert target.read_bytes() == CONTENT


def test_an_empty_file_and_a_chunked_one(site, target):
    empty = site.add("/empty", web.serve(b""))
    assert fetch_http([empty], target, limits=QUICK).bytes == 0
    chunked = site.add("/chunked", web.chunked(CONTENT))
    other = target.with_name("other.mp4")
    assert fetch_http([chunked], other, limits=QUICK).bytes == len(CONTENT)
    assert other.read_bytes() == CONTENT


def test_redirects_are_followed(site, target):
    site.add("/end.mp4", web.serve(CONTENT))
    site.add("/two", web.redirect("end.mp4", 307))
    url = site.add("/one", web.redirect(site.address + "/two"))
    got = fetch_http([url], target, limits=QUICK)
    assert got.attempts == 1
    assert target.read_bytes() == CONTENT
    assert [each.path for each in site.seen] == ["/one", "/two", "/end.mp4"]


def test_a_redirect_loop_ends(site, target):
    site.add("/b", web.redirect("/a"))
    url = site.add("/a", web.redirect("/b"))
    error = fails(url, target, replace(QUICK, redirects=4))
    assert error.failure == "missing"
    assert "more than 4 redirects" in error.message
    assert len(site.seen) == 5


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "gopher://x/",
        "data:video/mp4,x",
    ],
)
def test_a_redirect_to_another_scheme_is_refused(site, target, place):
    error = fails(site.add("/a.mp4", web.redirect(place)), target)
    assert error.failure == "refused"
    assert "redirects elsewhere" in error.message
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "/etc/passwd",
        "-o",
        "",
        "http://",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\nHost: x",
        "javascript:1",
    ],
)
def test_other_addresses_are_refused(target, url):
    assert fails(url, target).failure == "refused"
    assert files(target) == []


@pytest.mark.parametrize(
    ("code", "failure", "attempts"),
    [
        (401, "private", 1),
        (403, "private", 1),
        (404, "gone", 1),
        (410, "gone", 1),
        (451, "geo", 1),
        (400, "missing", 1),
        (408, "timeout", 3),
        (429, "rate_limited", 3),
        (500, "network", 3),
        (502, "network", 3),
        (503, "network", 3),
    ],
)
def test_statuses(site, target, code, failure, attempts):
    error = fails(site.add("/a.mp4", web.status(code)), target)
    assert error.failure == failure
    assert f"answered {code}" in error.message
    assert site.count("/a.mp4") == attempts
    assert files(target) == []


def test_500_then_200(site, target):
    url = site.add("/a.mp4", web.status(500), web.serve(CONTENT))
    assert fetch_http([url], target, limits=QUICK).attempts == 2
    assert target.read_bytes() == CONTENT


def waited(site) -> float:
    first, second = site.seen
    return second.at - first.at


def test_retry_after_is_honoured(site, target):
    limits = replace(QUICK, retry_after_seconds=5)
    url = site.add("/a.mp4", web.status(429, Retry_After=1), web.serve(CONTENT))
    assert fetch_http([url], target, limits=limits).attempts == 2
    assert waited(site) >= 1


def test_retry_after_as_a_date_is_honoured(site, target):
    limits = replace(QUICK, retry_after_seconds=5)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    url = site.add("/a.mp4", web.status(503, Retry_After=date), web.serve(CONTENT))
    assert fetch_http([url], target, limits=limits).attempts == 2
    assert waited(site) >= 0.9


@pytest.mark.parametrize("value", ["9999999", "soon", "-3", "Wed, 21 Oct 2099 07:28:00 GMT", "²"])
def test_retry_after_is_cut_or_ignored(site, target, value):
    url = site.add("/a.mp4", web.status(429, Retry_After=value), web.serve(CONTENT))
    limits = replace(QUICK, retry_after_seconds=0.1, total_seconds=4)
    assert fetch_http([url], target, limits=limits).attempts == 2


def test_a_wait_beyond_the_total_time_is_not_begun(site, target):
    url = site.add("/a.mp4", web.status(429, Retry_After=100))
    limits = replace(QUICK, retry_after_seconds=100, total_seconds=5)
    begin = time.monotonic()
    assert fails(url, target, limits).failure == "rate_limited"
    assert time.monotonic() - begin < 5
    assert site.count("/a.mp4") == 1


def test_a_chunked_body_without_end_chunk_is_not_taken_for_whole(site, target):
    error = fails(site.add("/a.mp4", web.chunked(CONTENT, cut=True)), target)
    assert error.failure in {"network", "corrupt"}
    assert site.count("/a.mp4") == 3


def test_a_wrong_content_length_is_corrupt(site, target):
    behaviour = web.wrong_length(CONTENT, announced=len(CONTENT) + 5)
    error = fails(site.add("/a.mp4", behaviour), target)
    assert error.failure == "corrupt"
    assert str(len(CONTENT)) in error.message
    assert site.count("/a.mp4") == 3


def test_another_size_than_wanted_is_corrupt_before_the_body(site, target):
    error = fails(site.add("/a.mp4", web.serve(CONTENT)), target, size=5)
    assert error.failure == "corrupt"
    assert site.count("/a.mp4") == 1


def test_another_size_of_unknown_length_is_corrupt(site, target):
    error = fails(site.add("/a.mp4", web.chunked(CONTENT)), target, size=5)
    assert error.failure == "corrupt"
    assert files(target) == []


def test_a_wrong_checksum_is_corrupt_and_leaves_nothing(site, target):
    error = fails(site.add("/a.mp4", web.serve(CONTENT)), target, sha256="0" * 64)
    assert error.failure == "corrupt"
    assert site.count("/a.mp4") == 1
    assert files(target) == []


@pytest.mark.parametrize(
    "text",
    [
        b"\n <!DOCTYPE html><html>",
        b"<html lang=en>",
        b"\xef\xbb\xbf<!doctype HTML>",
        b"<HTML><HEAD>",
    ],
)
def test_a_web_page_named_mp4_is_corrupt(site, target, text):
    error = fails(site.add("/a.mp4", web.page(text)), target)
    assert error.failure == "corrupt"
    assert "web page" in error.message
    assert site.count("/a.mp4") == 1
    assert files(target) == []


def test_a_web_page_that_is_wanted_arrives(site, tmp_path):
    got = fetch_http([site.add("/a", web.page())], tmp_path / "terms.html", limits=QUICK)
    assert got.bytes > 0


@pytest.mark.parametrize("after", [None, 0, 1000])
def test_a_stall_is_a_timeout(site, target, after):
    limits = replace(QUICK, attempts=2)
    error = fails(site.add("/a.mp4", web.stall(CONTENT, after=after)), target, limits)
    assert error.failure == "timeout"
    assert site.count("/a.mp4") == 2


def test_a_dripping_head_is_a_timeout(site, target):
    error = fails(
        site.add("/a", web.drip(seconds=0.05, in_head=True)), target, replace(QUICK, attempts=2)
    )
    assert error.failure == "timeout"
    assert site.count("/a") == 2


def test_a_dripping_body_is_a_timeout(site, target):
    limits = replace(QUICK, min_bytes_per_second=1000, rate_seconds=0.2, attempts=2)
    error = fails(site.add("/a.mp4", web.drip(seconds=0.05)), target, limits)
    assert error.failure == "timeout"
    assert "slower than" in error.message
    assert site.count("/a.mp4") == 2


def test_the_total_time_ends_a_slow_body(site, target):
    error = fails(
        site.add("/a.mp4", web.drip(seconds=0.05)), target, replace(QUICK, total_seconds=0.4)
    )
    assert error.failure == "timeout"
    assert site.count("/a.mp4") == 1


def test_an_endless_body_is_refused(site, target):
    error = fails(site.add("/a.mp4", web.endless()), target)
    assert error.failure == "refused"
    assert site.count("/a.mp4") == 1
    assert files(target) == []


def test_a_body_announced_as_too_large_is_refused_before_it_comes(site, target):
    error = fails(site.add("/a.mp4", web.wrong_length(b"x", announced=1 << 40)), target)
    assert error.failure == "refused"
    assert site.count("/a.mp4") == 1


def test_nobody_listens(target):
    error = fails(web.closed_port() + "/a.mp4", target)
    assert error.failure == "network"
    assert "refused" in error.message


def test_mirrors_are_tried_in_order(site, target):
    gone = site.add("/gone", web.status(404))
    bad = site.add("/bad", web.serve(b"other"))
    down = site.add("/down", web.status(503))
    good = site.add("/good", web.serve(CONTENT))
    never = site.add("/never", web.serve(CONTENT))
    got = fetch_http([gone, bad, down, good, never], target, sha256=SHA256, limits=QUICK)
    assert [each.path for each in site.seen] == ["/gone", "/bad", "/down", "/good"]
    assert got.attempts == 4
    assert target.read_bytes() == CONTENT


def test_the_mirrors_have_all_given_up(site, target):
    urls = [site.add("/one", web.status(500)), site.add("/two", web.status(404))]
    assert fails(urls, target).failure == "network"
    assert (site.count("/one"), site.count("/two")) == (3, 1)


def test_no_address_at_all(target):
    assert fails([], target).failure == "missing"


def test_secrets_of_an_address_stay_out_of_messages(site, target):
    site.add("/a.mp4", web.status(403))
    url = site.address.replace("http://", "http://me:hunter2@") + "/a.mp4?signature=hunter2"
    assert "hunter2" not in str(fails(url, target))


def test_a_full_disk_is_not_a_failure_of_the_clip(site, target, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http.Partial, "write", full)
    with pytest.raises(OSError, match="No space"):
        fetch_http([site.add("/a.mp4", web.serve(CONTENT))], target, limits=QUICK)
    assert not target.exists()


def test_a_proxy_of_the_environment_is_used(site, target, monkeypatch):
    monkeypatch.setenv("http_proxy", site.address)
    site.routes["http://videos.invalid/a.mp4"] = web.Route([web.serve(CONTENT)])
    fetch_http(["http://videos.invalid/a.mp4"], target, limits=QUICK)
    assert target.read_bytes() == CONTENT


def test_two_at_once_fetch_a_file_once(site, target):
    url = site.add("/a.mp4", web.delayed(web.serve(CONTENT), 0.1))
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch_http([url], target, limits=QUICK)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.attempts for each in results) == [0, 0, 0, 1]
    assert site.count("/a.mp4") == 1
    assert files(target) == ["clip.mp4"]
