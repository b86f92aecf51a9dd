"""Many files at once: each ends with a result, and no host is asked too much."""

from dataclasses import replace

import pytest

from reelpack.sources import http
from reelpack.sources.downloader import Download, fetch_many
from tests.sources import server as web
from tests.sources.fetches import CONTENT, QUICK


def test_many_files_and_a_few_failures(site, tmp_path):
    jobs = []
    for n in range(30):
        answer = web.status(404) if n % 10 == 0 else web.serve(CONTENT + bytes([n]))
        jobs.append(Download((site.add(f"/{n}.mp4", answer),), tmp_path / f"{n}.mp4"))
    results = dict(fetch_many(jobs, QUICK))
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
            Download(
                (each.add(f"/{n}", web.delayed(web.serve(b"x"), 0.03)),), tmp_path / f"{k}-{n}"
            )
            for k, each in enumerate([site, other])
            for n in range(12)
        ]
        results = list(fetch_many(jobs, replace(QUICK, per_host=3, workers=8)))
        assert len(results) == 24
        assert (site.most_busy, other.most_busy) == (3, 3)


def test_a_slow_host_does_not_hold_up_another(site, tmp_path):
    slow = [
        Download((site.add(f"/{n}", web.delayed(web.serve(b"x"), 0.25)),), tmp_path / f"slow{n}")
        for n in range(6)
    ]
    with web.running() as other:
        quick = [
            Download((other.add(f"/{n}", web.serve(b"x")),), tmp_path / f"{n}") for n in range(6)
        ]
        order = [job for job, _ in fetch_many(slow + quick, replace(QUICK, per_host=2, workers=4))]
    assert set(order[:6]) == set(quick)


def test_a_full_disk_stops_all(site, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http.Partial, "write", full)
    jobs = [
        Download((site.add(f"/{n}", web.serve(CONTENT)),), tmp_path / f"{n}") for n in range(20)
    ]
    with pytest.raises(OSError, match="No space"):
        list(fetch_many(jobs, QUICK))
    assert len(site.seen) < 20
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
