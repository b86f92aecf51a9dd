"""What a web server answers: statuses, sizes and versions in an answer's head, and its body in blocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from reelpack.core.errors import ClipError, FailureClass
from reelpack.sources.base import Limits, classify_status
from reelpack.sources.partial import Origin

_BLOCK_BYTES = 1 << 18


class SetbackError(Exception):
    """A try that failed in a way that another try may mend."""

    def __init__(self, failure: FailureClass, message: str, *, wait_seconds: float = 0.0) -> None:
        super().__init__(failure, message)
        self.error = ClipError(failure, message)
        self.wait_seconds = wait_seconds


class Pace:
    """Ends bodies that drip: fewer bytes a second than `min_bytes_per_second` over a window."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._start = time.monotonic()
        self._found = 0

    def check(self, count: int, place: str) -> None:
        """Count bytes that came in."""
        self._found += count
        seconds = time.monotonic() - self._start
        if seconds < self._limits.rate_seconds:
            return
        if self._found < seconds * self._limits.min_bytes_per_second:
            rate = self._limits.min_bytes_per_second
            raise ClipError("timeout", f"{place}: slower than {rate:g} bytes a second")
        self._start, self._found = time.monotonic(), 0


def read_blocks(answer: requests.Response, place: str) -> Iterator[bytes]:
    """Yield a body as it comes in, as it was sent (a Content-Encoding is part of the file)."""
    while True:
        try:
            block = answer.raw.read1(_BLOCK_BYTES, decode_content=False)
        except ReadTimeoutError as error:
            raise ClipError("timeout", f"{place}: the body stalled") from error
        except HTTPError as error:
            raise ClipError("network", f"{place}: cut: {type(error).__name__}") from error
        if not block:
            return
        yield block


def turn_away(answer: requests.Response, place: str) -> NoReturn:
    """Raise the error that a status stands for.

    Raises:
        SetbackError: another try may help.
        ClipError: none will.
    """
    failure = classify_status(answer.status_code)
    message = f"{place}: answered {answer.status_code} {answer.reason}"
    if failure in {"network", "timeout", "rate_limited"}:
        raise SetbackError(failure, message, wait_seconds=_retry_after(answer))
    raise ClipError(failure, message)


def _retry_after(answer: requests.Response) -> float:
    """Return the seconds that a server asks to wait, given as a number or as a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def announced_size(answer: requests.Response) -> int | None:
    """Return the announced size; RFC 9112 has it ignored beside a Transfer-Encoding."""
    text = answer.headers.get("Content-Length", "")
    is_number = text.isascii() and text.isdigit()
    return int(text) if is_number and "Transfer-Encoding" not in answer.headers else None


def validator_of(answer: requests.Response) -> str:
    """Return what stands for a file's version: its strong ETag, else Last-Modified, else ""."""
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get("Last-Modified", "")


def is_other_version(origin: Origin, url: str, answer: requests.Response) -> bool:
    """Whether a server sent a range of a changed file, although it was told not to."""
    found = validator_of(answer)
    return origin.url == url and found not in {"", origin.validator}
