"""What yt-dlp's errors mean: a class of the ledger for each of its messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from yt_dlp.networking.exceptions import (  # type: ignore[import-untyped]
    HTTPError,
    TransportError,
)
from yt_dlp.utils import (  # type: ignore[import-untyped]
    GeoRestrictedError,
    YoutubeDLError,
    remove_terminal_sequences,
)

from reelpack.core.errors import ClipError, FailureClass
from reelpack.sources.base import classify_status, is_disk_error

# Parts of yt-dlp's messages, most telling first. Those that YouTube itself writes reach us through
# `reason` and `subreason` in yt_dlp/extractor/youtube/_video.py, the others are yt-dlp's own.
FAILURES: tuple[tuple[str, FailureClass], ...] = (
    (r"unsupported url|incomplete youtube id|not a valid url", "missing"),
    (r"not a bot|captcha|unusual traffic", "bot_check"),
    (
        r"rate-limited by YouTube|HTTP Error 429|Too Many Requests|available, try again later",
        "rate_limited",
    ),
    (r"confirm your age|age.restricted|inappropriate for some users", "age"),
    (
        r"(not|n't) (made this video |been made )?available (in|from) your (country|location|region)"
        r"|blocked it in your country|geo.?restrict|not available in your country",
        "geo",
    ),
    (
        r"live event will begin|premieres? (in|will begin)|live event has not started"
        r"|not currently live|processing this video",
        "missing",
    ),
    (
        r"private video|video is private|members.only|available to this channel's members"
        r"|join this channel|music premium|requires payment|purchase|rental|sign in|log ?in"
        r"|registered users|account.{0,20}required|drm protected",
        "private",
    ),
    (
        r"has been terminated|been removed|no longer available|does not exist|has been deleted"
        r"|copyright|live event has ended|recording is not available|violat|video is not available"
        r"|video is unavailable|video unavailable|content isn't available",
        "gone",
    ),
    (r"unable to download video data: HTTP Error 403", "network"),
    (r"requested format is not available|no video formats|only images are available", "missing"),
)
# These tell less than a status that stands beside them.
_VAGUE: tuple[tuple[str, FailureClass], ...] = (
    (r"timed? ?out", "timeout"),
    (
        r"content too short|bytes read, \d+ more expected|failed to resolve|connection|fragment \d+"
        r"|failed to extract any player response|error occurred|something went wrong",
        "network",
    ),
)
_STATUS = re.compile(r"HTTP Error (\d{3})")


@contextmanager
def classifying(place: str) -> Iterator[None]:
    """Turn yt-dlp's errors into ledger classes; errors of this machine's disk pass through."""
    try:
        yield
    except YoutubeDLError as error:
        causes = list(_causes(error))
        for cause in causes:
            if is_disk_error(cause):
                raise cause from error
        message = re.sub(r"^ERROR: ", "", remove_terminal_sequences(str(error)))
        raise ClipError(classify(message, causes), f"{place}: {message}"[:400]) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    todo: list[Any] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (getattr(cause, "exc_info", None) or (None, None))[1]
            todo += [cause.__context__, cause.__cause__, getattr(cause, "cause", None), inner]


def classify(message: str, causes: Iterable[BaseException] = ()) -> FailureClass:
    """Return the ledger class of a yt-dlp error, `missing` when nothing is known of it.

    Args:
        message: yt-dlp's line.
        causes: the exceptions that led to it.
    """
    causes = list(causes)
    if any(isinstance(cause, GeoRestrictedError) for cause in causes):
        return "geo"
    message = message.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    statuses = [cause.status for cause in causes if isinstance(cause, HTTPError)]
    statuses += [int(number) for number in _STATUS.findall(message)]
    told = _matching(FAILURES, message)
    if told is None and statuses:
        return classify_status(statuses[0])
    is_network = any(isinstance(cause, TransportError) for cause in causes)
    return told or _matching(_VAGUE, message) or ("network" if is_network else "missing")


def _matching(table: tuple[tuple[str, FailureClass], ...], message: str) -> FailureClass | None:
    found = (failure for pattern, failure in table if re.search(pattern, message, re.IGNORECASE))
    return next(found, None)
