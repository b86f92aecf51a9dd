"""The two ways in which things go wrong: a clip that fails (ledger row) and a user's mistake (one line)."""

from __future__ import annotations

import errno
import struct
from typing import Literal, get_args

FailureClass = Literal[
    "gone",
    "private",
    "geo",
    "age",
    "bot_check",
    "rate_limited",
    "timeout",
    "network",
    "missing",
    "refused",
    "corrupt",
    "no_video",
    "no_audio",
    "too_short",
    "too_small",
    "trim",
    "decode",
    "encode",
    "pack",
    "machine",
]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)
TRANSIENT_CLASSES: frozenset[str] = frozenset(
    {"bot_check", "rate_limited", "timeout", "network", "machine"}
)
# A full disk, a folder without permission and too many open files meet every clip: they stop a job.
_STOPS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENFILE}
)
# What a file system over a network answers that went away.
_VANISHED = frozenset(
    {
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ENODEV,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        errno.EREMOTEIO,
    }
)
# What reading a damaged file may raise in Python: no mistake of types or names among them.
_CONTENT = (ArithmeticError, EOFError, IndexError, NotImplementedError, ValueError, struct.error)


class ClipError(Exception):
    """One clip cannot be used; it becomes a ledger row and the shard goes on.

    Args:
        failure: why, one of `FAILURE_CLASSES`.
        message: one line for people; line breaks are folded into spaces.
        stage: the stage whose work failed, where a job does the work of several.
    """

    def __init__(self, failure: FailureClass, message: str, stage: str = "") -> None:
        super().__init__(failure, message, stage)
        self.failure: FailureClass = failure
        self.message = " ".join(message.split())
        self.stage = stage

    def __str__(self) -> str:
        return f"{self.failure}: {self.message}"


class UserError(Exception):
    """Input that a person must mend; commands print it as one line and exit with 2."""


class DamagedError(UserError):
    """A finished file of an earlier job cannot be read; a job removes it, so that the next run mends it.

    Args:
        path: the file.
        reason: one line for people.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = " ".join(reason.split())

    def __str__(self) -> str:
        return f"{self.path}: damaged ({self.reason})"


def blame_clip(error: Exception, failure: FailureClass) -> ClipError | None:
    """Return the failure of a clip that an exception of its work means; None: it is not the clip's fault.

    Args:
        error: what the work raised.
        failure: the class of what a damaged file causes.

    Returns:
        The error itself where it is a `ClipError`; class `machine` where the machine had no memory or
        lost a file system, which may pass; `failure` for every other error of libav and for what
        impossible sizes and numbers lead to. None stops a job: a full disk, a missing permission, a
        person's mistake, a bug.
    """
    # Loaded already where one of its errors was raised.
    import av.error

    if isinstance(error, ClipError):
        return error
    if isinstance(error, UserError):
        return None
    message = f"{type(error).__name__}: {error}"
    number = getattr(error, "errno", None)
    if number in _VANISHED:
        return ClipError("machine", message)
    # Before its Python bases: libav's "not permitted" is also a PermissionError, and a decoder's word.
    if isinstance(error, av.error.FFmpegError):
        return None if number in _STOPS else ClipError(failure, message)
    if isinstance(error, MemoryError):
        return ClipError("machine", message)
    return ClipError(failure, message) if isinstance(error, _CONTENT) else None
