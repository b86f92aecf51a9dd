"""The ffmpeg program that recipes with `decoder: program` take their frames from."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

from reelpack.core.errors import UserError

_SECONDS = 60


def find_program(name: str) -> str:
    """Return the program's path: of a path or a name on PATH, or of imageio-ffmpeg's for "".

    Raises:
        UserError: there is no such program.
    """
    if not name:
        # Only those who use it need the package.
        import imageio_ffmpeg

        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError as error:
            raise UserError(
                "config: ffmpeg: imageio-ffmpeg has none for this machine; name a program"
            ) from error
    found = shutil.which(Path(name).expanduser())
    if found is None:
        raise UserError(
            f"config: ffmpeg: {name}: no such program; allowed: the path of an ffmpeg program that"
            " may be run, or its name on PATH"
        )
    return str(found)


@functools.cache
def read_version(program: str) -> str:
    """Return the version that a program states, such as 5.1.9-0+deb12u1.

    Raises:
        UserError: it does not run, or is not the ffmpeg program.
    """
    command = [program, "-version"]
    try:
        output = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"config: ffmpeg: {program} does not run: {error}") from error
    words = output.decode(errors="replace").partition("\n")[0].split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise UserError(
            f"config: ffmpeg: {program} -version does not begin with 'ffmpeg version'; allowed: an"
            " ffmpeg program"
        )
    return words[2]


def find_planned_program(name: str, version: str) -> str:
    """Return the path of the program that was planned with.

    Raises:
        UserError: there is none, or it is of another version.
    """
    program = find_program(name)
    found = read_version(program)
    if found != version:
        raise UserError(
            f"config: ffmpeg: {program} is version {found} here, and {version} was planned with:"
            " give all machines the same program"
        )
    return program
