"""Bytes of a cut file are used again, and never mixed with those of another."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from reelpack.sources.http import fetch_http
from tests.sources import server as web
from tests.sources.fetches import CONTENT, HALF, QUICK, SHA256, fails, files, hidden, leave_half
from tests.support.helpers import ROOT


@pytest.fixture
def target(tmp_path):
    return tmp_path / "videos" / "clip.mp4"


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
    url = site.add("/half.mp4", web.serve(CONTENT, ranges="none"))
    got = fetch_http([url], target, limits=QUICK)
    assert (got.attempts, got.resumed_bytes) == (1, 0)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("ignores", [False, True])
def test_a_file_that_changed_is_not_mixed(site, target, ignores):
    leave_half(site, target)
    other = CONTENT[::-1]
    url = site.add("/half.mp4", web.serve(other, ranges="always" if ignores else "honest"))
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
    cuts = [web.serve(CONTENT, cut_at=HALF + 10 * n, ranges="none") for n in range(3)]
    assert fails(site.add("/a.mp4", *cuts), target).failure == "network"
    assert site.count("/a.mp4") == 3


def test_a_mirror_goes_on_only_where_a_checksum_will_tell(site, target):
    cut = site.add("/cut", web.serve(CONTENT, cut_at=HALF))
    good = site.add("/good", web.serve(CONTENT))
    assert fetch_http([cut, good], target, limits=QUICK).resumed_bytes == 0
    target.unlink()
    assert fetch_http([cut, good], target, sha256=SHA256, limits=QUICK).resumed_bytes == HALF
    assert target.read_bytes() == CONTENT
