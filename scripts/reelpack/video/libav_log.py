"""libav's log: kept away from stderr, and held for whoever asks what libav complained about."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import av.logging

# Enough to find the first line that matters; damaged files write thousands.
_HELD_LINES = 64


@dataclass(frozen=True)
class Line:
    """What libav wrote, at its error level or a worse one.

    Args:
        writer: the part of libav: a decoder ("h264"), a container ("matroska,webm"), another.
        text: what it says, without a line break.
    """

    writer: str
    text: str


class _Held(threading.local):
    def __init__(self) -> None:
        self.lines: list[Line] = []


_held = _Held()


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and len(_held.lines) < _HELD_LINES:
            writer = record.name.partition(".")[2]
            _held.lines.append(Line(writer, record.getMessage().strip()))


def listen() -> None:
    """Take over libav's log for this process."""
    logger = logging.getLogger("libav")
    logger.handlers = [_Listener()]
    logger.propagate = False
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)


def new_lines() -> list[Line]:
    """What libav wrote in this thread since the last call; an endless log keeps its beginning."""
    if not _held.lines:
        return []
    lines, _held.lines = _held.lines, []
    return lines
