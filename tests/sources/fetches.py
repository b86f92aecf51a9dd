"""Fetching from a server on a loopback address, where tries follow one another at once."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from reelpack.core.errors import ClipError
from reelpack.sources.base import Limits
from reelpack.sources.http import fetch_http
from tests.sources import server as web

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
