"""Limits for a server on a loopback address: tries follow one another at once."""

from reelpack.sources.base import Limits

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
