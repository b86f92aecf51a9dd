"""A circuit breaker: a source that turned several clips away in a row is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reelpack.core.errors import ClipError, FailureClass

TURNED_AWAY: frozenset[FailureClass] = frozenset({"bot_check", "rate_limited"})
# These say nothing about whether the source would serve us.
_NO_ANSWER: frozenset[FailureClass] = frozenset({"network", "timeout", "refused"})


class Breaker:
    """Watches one source.

    After `limit` answers in a row of class bot_check or rate_limited the source rests: further
    clips get that class at once, without a request. When `rest_seconds` have passed, one clip may
    ask; its success, or any success of a request under way, closes the breaker, another refusal
    starts the rest anew. Safe to share between threads.

    Args:
        source: its name in messages.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        source: str,
        *,
        limit: int = 5,
        rest_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.limit = limit
        self.rest_seconds = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._refusals = 0
        self._failure: FailureClass = "rate_limited"
        self._ask_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the source rests."""
        return self._refusals >= self.limit

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Wrap one clip's request: refuse it while the source rests, and learn from how it ends.

        Raises:
            ClipError: of the class that opened the breaker.
        """
        self._enter()
        try:
            yield
        except ClipError as error:
            self._learn(error.failure)
            raise
        else:
            self._learn(None)

    def _enter(self) -> None:
        with self._lock:
            if not self.is_open:
                return
            if self._clock() < self._ask_at:
                message = f"{self.source} rests after {self._refusals} refusals in a row"
                raise ClipError(self._failure, message)
            self._ask_at = self._clock() + self.rest_seconds

    def _learn(self, failure: FailureClass | None) -> None:
        with self._lock:
            if failure in TURNED_AWAY:
                self._refusals += 1
                self._failure = failure
                self._ask_at = self._clock() + self.rest_seconds
            elif failure not in _NO_ANSWER:
                self._refusals = 0
