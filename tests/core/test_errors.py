"""Whose fault an error is: the clip's, which costs a row, or not, which stops the job."""

import errno
import os
import struct

import av.error
import numpy as np
import pytest

from reelpack.core.errors import TRANSIENT_CLASSES, ClipError, DamagedError, UserError, blame_clip


def libav(number):
    """The error that PyAV makes of libav's answer."""
    with pytest.raises(av.error.FFmpegError) as caught:
        av.error.err_check(-number)
    return caught.value


def tag(name):
    return av.error.tag_to_code(name)


@pytest.mark.parametrize(
    "number",
    [
        *(getattr(errno, n) for n in ("EPERM", "EINVAL", "ENOSYS", "ENOMEM", "EIO", "ERANGE")),
        *(getattr(errno, n) for n in ("ENOENT", "EDOM", "EAGAIN", "EPIPE", "EEXIST", "ENOTDIR")),
        *(tag(name) for name in (b"PAWE", b"INDA", b"BUG!", b"UNKN", b"EOF ", b"\xf8DEC")),
        12345,
    ],
)
def test_whatever_libav_says_of_a_file_is_the_files_fault(number):
    blamed = blame_clip(libav(number), "corrupt")
    assert blamed.failure == "corrupt"
    assert "\n" not in blamed.message


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE", "ENFILE"])
def test_what_meets_every_clip_stops(name):
    number = getattr(errno, name)
    assert blame_clip(libav(number), "decode") is None
    assert blame_clip(OSError(number, os.strerror(number), "/our/folder"), "decode") is None


@pytest.mark.parametrize("name", ["ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN"])
def test_a_mount_that_went_away_may_come_back(name):
    number = getattr(errno, name)
    for error in (libav(number), OSError(number, os.strerror(number), "/mount/a.mp4")):
        assert blame_clip(error, "decode").failure == "machine"
    assert "machine" in TRANSIENT_CLASSES


def test_memory_may_come_back():
    error = np._core._exceptions._ArrayMemoryError((1 << 50,), np.dtype(np.uint8))
    assert blame_clip(error, "decode").failure == "machine"


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        OverflowError("too large"),
        ValueError("no such format"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        IndexError("list index out of range"),
        NotImplementedError("format"),
        EOFError("end"),
        struct.error("unpack requires 8 bytes"),
    ],
)
def test_what_impossible_content_raises_is_the_files_fault(error):
    blamed = blame_clip(error, "trim")
    assert (blamed.failure, blamed.message) == ("trim", f"{type(error).__name__}: {error}")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error", "/our/journal"),
        OSError("without a number"),
        PermissionError(errno.EPERM, "not permitted", "/our/folder"),
        UserError("config: wrong"),
        DamagedError("/our/shard.tar", "it lacks its end"),
        RuntimeError("CUDA error"),
        TypeError("bug"),
        AttributeError("bug"),
        KeyError("bug"),
        AssertionError(),
    ],
)
def test_machines_people_and_bugs_stop(error):
    assert blame_clip(error, "decode") is None


def test_a_clips_own_error_stays():
    error = ClipError("too_short", "m", "crop_frames")
    assert blame_clip(error, "decode") is error
