"""The two ways in which things go wrong: a clip that fails (ledger row) and a user's mistake (one line)."""

from __future__ import annotations

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
]
FAILURE_CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)
TRANSIENT_CLASSES: frozenset[str] = frozenset({"bot_check", "rate_limited", "timeout", "network"})


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
