"""Fetch files from web servers: resumable, from mirrors, checked, and whole or absent.

A file grows under a hidden name beside its destination. A killed run leaves it, and the next one
goes on where it ended if the server still has the same version (`If-Range` with a strong ETag or
Last-Modified) or if a checksum will tell. Only a complete and checked file gets the final name.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file
from reelpack.core.names import check_url
from reelpack.sources.answers import (
    Pace,
    SetbackError,
    announced_size,
    is_other_version,
    read_blocks,
    turn_away,
    validator_of,
)
from reelpack.sources.base import Fetched, Limits, check_no_page, hide_secrets, looks_like_html
from reelpack.sources.partial import Origin, Partial, partial_file
from reelpack.sources.session import Session

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass
class _Mirror:
    """One address and how it has done so far; `cuts` are the sizes at which bodies broke off."""

    url: str
    tries: int = 0
    ready_at: float = 0.0
    cuts: list[int] = field(default_factory=list)


def fetch_http(
    urls: Sequence[str],
    destination: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    limits: Limits | None = None,
    session: Session | None = None,
) -> Fetched:
    """Fetch one file from the first of several addresses that has it.

    A file that is already here, and has the size and checksum asked for, is taken without a
    request. Tries go to the address that may be asked soonest, in the order given; addresses that
    answer for good (404, 403, wrong content ...) are left out.

    Args:
        urls: mirrors, best first.
        sha256: 64 hexadecimal digits that the file must have.
        size: bytes that the file must have.
        session: connections to share; by default ones for this file alone.

    Raises:
        ClipError: gone (404, 410), private (401, 403), geo (451), rate_limited (429), missing
            (other 4xx), network (5xx, DNS, refused or cut connections, redirect loops), timeout,
            corrupt (wrong checksum or length, a web page), refused (schemes other than http and
            https, beyond `max_bytes`); the class is the last mirror's to give up.
    """
    for url in urls:
        check_url(url)
    limits = limits or Limits()
    sha256 = sha256.lower() if sha256 else None
    mine = session or Session(limits)
    deadline = time.monotonic() + limits.total_seconds
    try:
        fetched = _here(destination, sha256=sha256, size=size)
        if fetched is None:
            with partial_file(destination, seconds=limits.total_seconds) as partial:
                # Another process may have fetched it while this one waited for the lock.
                fetched = _here(destination, sha256=sha256, size=size) or _Transfer(
                    partial, mine, limits, sha256=sha256, size=size, deadline=deadline
                ).run([_Mirror(url) for url in urls])
        return fetched
    finally:
        if session is None:
            mine.close()


def _here(destination: Path, *, sha256: str | None, size: int | None) -> Fetched | None:
    """Return the file that is already here, if it is the one asked for."""
    if not destination.is_file():
        return None
    found = destination.stat().st_size
    if size not in {None, found} or (sha256 and sha256_file(destination) != sha256):
        return None
    return Fetched(destination, found, found, 0, sha256)


class _Transfer:
    """One file on its way from its mirrors into its partial file."""

    def __init__(
        self,
        partial: Partial,
        session: Session,
        limits: Limits,
        *,
        sha256: str | None,
        size: int | None,
        deadline: float,
    ) -> None:
        self.partial = partial
        self.session = session
        self.limits = limits
        self.sha256 = sha256
        self.size = size
        self.deadline = deadline
        self.attempts = 0
        self.resumed = 0

    def run(self, mirrors: list[_Mirror]) -> Fetched:
        """Try until one mirror succeeds; see `fetch_http`."""
        error = ClipError(
            "missing", f"{self.partial.destination.name}: no address to fetch it from"
        )
        while mirrors:
            mirror = min(mirrors, key=lambda each: each.ready_at)
            if mirror.ready_at >= self.deadline:
                raise error
            self._wait(mirror.ready_at)
            mirror.tries += 1
            try:
                return self._try(mirror)
            except SetbackError as setback:
                error = setback.error
                mirror.ready_at = time.monotonic() + self._delay(mirror, setback)
                if mirror.tries >= self.limits.attempts:
                    mirrors.remove(mirror)
                    error = _always_cut(mirror) or error
            except ClipError as final:
                error = final
                mirrors.remove(mirror)
            self._check_time(error)
        raise error

    def _wait(self, until: float) -> None:
        if self.session.stopped.wait(max(0.0, until - time.monotonic())):
            raise ClipError("network", f"{self.partial.destination.name}: stopped")

    def _delay(self, mirror: _Mirror, setback: SetbackError) -> float:
        limits = self.limits
        backoff = min(limits.max_backoff_seconds, limits.backoff_seconds * 2 ** (mirror.tries - 1))
        # Jitter, so that clients that were turned away together do not come back together.
        return max(min(setback.wait_seconds, limits.retry_after_seconds), _jitter(backoff))

    def _check_time(self, error: ClipError) -> None:
        if time.monotonic() >= self.deadline:
            seconds = self.limits.total_seconds
            raise ClipError("timeout", f"not done within {seconds:g} s; last: {error.message}")

    def _try(self, mirror: _Mirror) -> Fetched:
        place = hide_secrets(mirror.url)
        if not self._is_complete():
            self.attempts += 1
            try:
                with self.session.get(mirror.url, self._range(mirror.url)) as answer:
                    total = self._begin(answer, mirror.url)
                    self._receive(answer, total, mirror)
            except ClipError as error:
                if error.failure in {"network", "timeout"}:
                    raise SetbackError(error.failure, error.message) from error
                raise
        return self._finish(place)

    def _is_complete(self) -> bool:
        """Whether a run was killed between the last byte and the final name."""
        origin = self.partial.origin
        return origin is not None and origin.total == self.partial.size != 0

    def _range(self, url: str) -> dict[str, str]:
        """Return the heads that ask for the rest; none where the bytes here cannot be trusted."""
        origin, have = self.partial.origin, self.partial.size
        if origin is None or have == 0:
            return {}
        if origin.url == url and origin.validator:
            return {"Range": f"bytes={have}-", "If-Range": origin.validator}
        return {"Range": f"bytes={have}-"} if self.sha256 else {}

    def _begin(self, answer: requests.Response, url: str) -> int | None:
        """Make the partial file ready for an answer's body; return the file's size if announced."""
        place = hide_secrets(url)
        if answer.status_code == 416 and self.partial.size:
            self.partial.restart(None)
            raise SetbackError("network", f"{place}: answered 416 to a range; starting again")
        if answer.status_code == 206:
            return self._go_on(answer, url)
        if answer.status_code != 200:
            turn_away(answer, place)
        total = announced_size(answer)
        self._check_size(total, place)
        self.resumed = 0
        self.partial.restart(Origin(url, validator_of(answer), total))
        if total is None or total >= self.limits.resume_bytes:
            self.partial.keep()
        return total

    def _go_on(self, answer: requests.Response, url: str) -> int | None:
        """Check that a 206 holds the rest of the bytes that are here, of the same version."""
        origin, have, place = self.partial.origin, self.partial.size, hide_secrets(url)
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        total = int(match[3]) if match and match[3] != "*" else None
        fits = match and origin and int(match[1]) == have and origin.total in {None, total}
        if not fits or (origin and is_other_version(origin, url, answer)):
            self.partial.restart(None)
            raise SetbackError("network", f"{place}: answered another range than asked for")
        self._check_size(total, place)
        self.resumed = have
        self.partial.resume()
        return total

    def _check_size(self, total: int | None, place: str) -> None:
        if total is not None and self.size not in {None, total}:
            raise ClipError("corrupt", f"{place}: has {total} bytes, not {self.size}")
        self._check_limit(total or 0, place)

    def _check_limit(self, found: int, place: str) -> None:
        if found > self.limits.max_bytes:
            self.partial.restart(None)
            raise ClipError("refused", f"{place}: more than {self.limits.max_bytes} bytes")

    def _receive(self, answer: requests.Response, total: int | None, mirror: _Mirror) -> None:
        """Append the body to the partial file, and keep that if the body breaks off."""
        place = hide_secrets(mirror.url)
        try:
            self._copy(answer, place)
            if total is not None and self.partial.size < total:
                raise ClipError(
                    "network", f"{place}: cut after {self.partial.size} of {total} bytes"
                )
        except ClipError as error:
            if self.partial.size >= max(1, self.limits.resume_bytes):
                self.partial.keep()
            if error.failure == "network":
                mirror.cuts.append(self.partial.size)
            raise

    def _copy(self, answer: requests.Response, place: str) -> None:
        found, pace = self.partial.size, Pace(self.limits)
        is_named_page = self.partial.destination.suffix.lower() in {".html", ".htm"}
        for block in read_blocks(answer, place):
            if found == 0 and not is_named_page and looks_like_html(block):
                raise ClipError("corrupt", f"{place}: a web page, not a file of this name")
            found += len(block)
            self._check_limit(found, place)
            self.partial.write(block)
            pace.check(len(block), place)
            if time.monotonic() >= self.deadline:
                raise ClipError(
                    "timeout", f"{place}: not done within {self.limits.total_seconds:g} s"
                )
            if self.session.stopped.is_set():
                raise ClipError("network", f"{place}: stopped")

    def _finish(self, place: str) -> Fetched:
        """Check the whole file and give it its name."""
        partial, found = self.partial, self.partial.size
        try:
            if self.size not in {None, found}:
                raise ClipError("corrupt", f"{place}: has {found} bytes, not {self.size}")
            if self.sha256 and (seen := sha256_file(partial.path)) != self.sha256:
                raise ClipError("corrupt", f"{place}: sha256 is {seen}, not {self.sha256}")
            check_no_page(partial.path, named=partial.destination, address=place)
        except ClipError as error:
            partial.restart(None)
            if self.resumed:
                raise SetbackError(error.failure, f"{error.message}, resumed") from error
            raise
        partial.publish()
        return Fetched(partial.destination, found, self.resumed, self.attempts, self.sha256)


def _always_cut(mirror: _Mirror) -> ClipError | None:
    """Tell a server that announces a wrong length from a bad line: it ends at one place each time."""
    if len(mirror.cuts) < 2 or len(set(mirror.cuts)) > 1 or not mirror.cuts[0]:
        return None
    message = f"always ends at byte {mirror.cuts[0]}, before the announced length"
    return ClipError("corrupt", f"{hide_secrets(mirror.url)}: {message}")


def _jitter(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.0)
