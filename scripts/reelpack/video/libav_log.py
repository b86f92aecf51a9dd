"""libav's log: kept away from stderr, and read for the few messages that tell of lost frames.

Some losses are no error to libav: it goes on with what is left and says so in its log only.
"""

from __future__ import annotations

import logging
import threading

import av.logging

# A reference frame is missing (H.264); part of a file was skipped to find its structure again
# (Matroska). Other complaints are common in files that decode well.
_LOSSES = ("Frame num gap", "exceeds containing master element")


class _Counts(threading.local):
    losses = 0


_counts = _Counts()


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        _counts.losses += any(sign in message for sign in _LOSSES)


def listen() -> None:
    """Take over libav's log for this process."""
    logger = logging.getLogger("libav")
    logger.handlers = [_Listener()]
    logger.propagate = False
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)


def losses() -> int:
    """How many losses libav has told of in this thread so far."""
    return _counts.losses
