"""Every way in which a server can answer, and what becomes of it."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from reelpack.core.errors import ClipError
from reelpack.sources import http
from reelpack.sources.base import Limits
from reelpack.sources.http import Downloader, Job, fetch_http
from tests.sources import server as web
from tests.support.helpers import ROOT

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
QUICK = Limits(
    attempts=3,
    connect_seconds=2,
    read_seconds=0.3,
    total_seconds=20,
    max_bytes=1 << 20,
    min_bytes_per_second=1,
    rate_seconds=10,
    backoff_seconds=0.01,
    max_backoff_seconds=0.02,
    retry_after_seconds=0.05,
    resume_bytes=1,
)


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
    return tmp_path / "videos" / "clip.mp4"


def files(target: Path) -> list[str]:
    """All names beside a target, hidden ones too."""
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def fails(urls, target, limits=QUICK, **wanted) -> ClipError:
    """Fetch, expect a failure, and see that nothing got the final name."""
    urls = [urls] if isinstance(urls, str) else urls
    with pytest.raises(ClipError) as caught:
        fetch_http(urls, target, limits=limits, **wanted)
    assert not target.exists()
    assert "\n" not in caught.value.message
    return caught.value


def hidden(target: Path) -> Path:
    """The one partial file beside a target."""
    (path,) = target.parent.glob(".*.part")
    return path


def leave_half(site, target, **options) -> str:
    """End with half of a file here, as a killed or unlucky run leaves it."""
    url = site.add("/half.mp4", web.serve(CONTENT, cut_at=HALF, **options))
    fails(url, target, replace(QUICK, attempts=1))
    assert hidden(target).stat().st_size == HALF
    return url


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


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_file_is_resumed(site, target, reset):
    url = site.add("/a.mp4", web.serve(CONTENT, cut_at=HALF, reset=reset), web.serve(CONTENT))
    got = fetch_http([url], target, sha256=SHA256, limits=QUICK)
    assert got.attempts == 2
    assert target.read_bytes() == CONTENT
    assert files(target) == ["clip.mp4"]
    if not reset:  # a reset may drop bytes that were on their way
        assert got.resumed_bytes == HALF
    if got.resumed_bytes:
        assert site.seen[1].headers["Range"] == f"bytes={got.resumed_bytes}-"
        assert site.seen[1].headers["If-Range"] == web.tag(CONTENT)


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_a_later_run_resumes(site, target, validator):
    leave_half(site, target, validator=validator)
    url = site.add("/half.mp4", web.serve(CONTENT, validator=validator))
    got = fetch_http([url], target, limits=QUICK)
    assert (got.attempts, got.resumed_bytes) == (1, HALF)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("validator", ["none", "weak"])
def test_without_a_validator_only_a_checksum_allows_to_resume(site, target, validator):
    leave_half(site, target, validator=validator)
    url = site.add("/half.mp4", web.serve(CONTENT, validator=validator))
    assert fetch_http([url], target, limits=QUICK).resumed_bytes == 0
    target.unlink()
    leave_half(site, target, validator=validator)
    site.add("/half.mp4", web.serve(CONTENT, validator=validator))
    assert fetch_http([url], target, sha256=SHA256, limits=QUICK).resumed_bytes == HALF
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(site, target):
    leave_half(site, target)
    url = site.add("/half.mp4", web.serve(CONTENT, ranges=False))
    got = fetch_http([url], target, limits=QUICK)
    assert (got.attempts, got.resumed_bytes) == (1, 0)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("ignores", [False, True])
def test_a_file_that_changed_is_not_mixed(site, target, ignores):
    leave_half(site, target)
    other = CONTENT[::-1]
    url = site.add("/half.mp4", web.serve(other, ignores_if_range=ignores))
    got = fetch_http([url], target, limits=QUICK)
    assert got.resumed_bytes == 0
    assert got.attempts == (2 if ignores else 1)
    assert target.read_bytes() == other


def test_another_range_than_asked_for_starts_again(site, target):
    leave_half(site, target)
    bad = web.status(206, CONTENT[:10], Content_Range=f"bytes 0-9/{len(CONTENT)}")
    url = site.add("/half.mp4", bad, web.serve(CONTENT))
    assert fetch_http([url], target, limits=QUICK).attempts == 2
    assert target.read_bytes() == CONTENT


def test_a_range_that_the_server_cannot_satisfy_starts_again(site, target):
    leave_half(site, target, validator="modified")
    shorter = CONTENT[:100]
    url = site.add("/half.mp4", web.serve(shorter, validator="modified"))
    assert fetch_http([url], target, limits=QUICK).attempts == 2
    assert target.read_bytes() == shorter


def test_bytes_of_a_wrong_start_are_found_out_by_the_checksum(site, target):
    leave_half(site, target)
    hidden(target).write_bytes(bytes(HALF))
    url = site.add("/half.mp4", web.serve(CONTENT))
    got = fetch_http([url], target, sha256=SHA256, limits=QUICK)
    assert (got.attempts, got.resumed_bytes) == (2, 0)
    assert target.read_bytes() == CONTENT


def test_a_run_killed_before_the_rename_asks_nothing(site, target):
    url = leave_half(site, target)
    hidden(target).write_bytes(CONTENT)
    assert fetch_http([url], target, sha256=SHA256, limits=QUICK).attempts == 0
    assert site.count("/half.mp4") == 1
    assert target.read_bytes() == CONTENT


def test_a_killed_process_leaves_bytes_that_the_next_one_uses(site, target):
    url = site.add("/a.mp4", web.stall(CONTENT, after=HALF), web.serve(CONTENT))
    site.routes["/a.mp4"].behaviours[0] = _tagged_stall(CONTENT, HALF)
    program = (
        "import sys; from pathlib import Path; from reelpack.sources.base import Limits;"
        "from reelpack.sources.http import fetch_http;"
        "fetch_http([sys.argv[1]], Path(sys.argv[2]), limits=Limits(resume_bytes=1))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, url, str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )
    try:
        while not (
            target.parent.exists()
            and any(p.stat().st_size == HALF for p in target.parent.glob(".*.part"))
        ):
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not target.exists()
    got = fetch_http([url], target, limits=QUICK)
    assert got.resumed_bytes == HALF
    assert target.read_bytes() == CONTENT
    assert files(target) == ["clip.mp4"]


def _tagged_stall(content, after):
    def behave(handler):
        handler.head(200, Content_Length=len(content), ETag=web.tag(content))
        handler.wfile.write(content[:after])
        handler.site.over.wait(10)
        handler.close_connection = True

    return behave


def test_small_files_are_not_kept_for_resuming(site, target):
    url = site.add("/a.mp4", web.serve(CONTENT, cut_at=HALF))
    assert fails(url, target, replace(QUICK, resume_bytes=1 << 20, attempts=1)).failure == "network"
    assert files(target) == []


def test_a_body_cut_at_ever_other_places_is_network(site, target):
    cuts = [web.serve(CONTENT, cut_at=HALF + 10 * n, ranges=False) for n in range(3)]
    assert fails(site.add("/a.mp4", *cuts), target).failure == "network"
    assert site.count("/a.mp4") == 3


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


def test_a_mirror_goes_on_only_where_a_checksum_will_tell(site, target):
    cut = site.add("/cut", web.serve(CONTENT, cut_at=HALF))
    good = site.add("/good", web.serve(CONTENT))
    assert fetch_http([cut, good], target, limits=QUICK).resumed_bytes == 0
    target.unlink()
    assert fetch_http([cut, good], target, sha256=SHA256, limits=QUICK).resumed_bytes == HALF
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


def test_a_full_disk_is_no_failure_of_the_clip(site, target, monkeypatch):
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
    url = site.add("/a.mp4", web.serve(CONTENT, delay_seconds=0.1))
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


def test_many_files_and_a_few_failures(site, tmp_path):
    jobs = []
    for n in range(30):
        answer = web.status(404) if n % 10 == 0 else web.serve(CONTENT + bytes([n]))
        jobs.append(Job((site.add(f"/{n}.mp4", answer),), tmp_path / f"{n}.mp4"))
    results = dict(Downloader(QUICK).fetch_many(jobs))
    assert set(results) == set(jobs)
    for n, job in enumerate(jobs):
        if n % 10 == 0:
            assert results[job].failure == "gone"
        else:
            assert job.destination.read_bytes() == CONTENT + bytes([n])
    assert len(list(tmp_path.iterdir())) == 27


def test_a_host_gets_no_more_requests_at_once_than_allowed(site, tmp_path):
    with web.running() as other:
        jobs = [
            Job((each.add(f"/{n}", web.serve(b"x", delay_seconds=0.03)),), tmp_path / f"{k}-{n}")
            for k, each in enumerate([site, other])
            for n in range(12)
        ]
        results = list(Downloader(replace(QUICK, per_host=3, workers=8)).fetch_many(jobs))
        assert len(results) == 24
        assert (site.most_busy, other.most_busy) == (3, 3)


def test_a_slow_host_does_not_hold_up_another(site, tmp_path):
    slow = [
        Job((site.add(f"/{n}", web.serve(b"x", delay_seconds=0.25)),), tmp_path / f"slow{n}")
        for n in range(6)
    ]
    with web.running() as other:
        quick = [Job((other.add(f"/{n}", web.serve(b"x")),), tmp_path / f"{n}") for n in range(6)]
        order = [
            job
            for job, _ in Downloader(replace(QUICK, per_host=2, workers=4)).fetch_many(slow + quick)
        ]
    assert set(order[:6]) == set(quick)


def test_a_full_disk_stops_all(site, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http.Partial, "write", full)
    jobs = [Job((site.add(f"/{n}", web.serve(CONTENT)),), tmp_path / f"{n}") for n in range(20)]
    with pytest.raises(OSError, match="No space"):
        list(Downloader(QUICK).fetch_many(jobs))
    assert len(site.seen) < 20
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
