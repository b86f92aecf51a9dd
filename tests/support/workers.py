"""Work for the worker processes of pool and stage tests: what happens stands in the clip's name."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reelpack.core.errors import ClipError
from reelpack.core.files import replace_file
from reelpack.encode.single import encode_clip


@dataclass(frozen=True)
class Item:
    """A clip whose id says what becomes of it."""

    clip_id: str


def note(folder: Path, name: str) -> None:
    """Leave a mark that work on a clip began; marks are files, so that processes can share them."""
    with (folder / name).open("a") as stream:
        stream.write("x")


def calls(folder: Path) -> dict[str, int]:
    """Return how often work began, by name."""
    return {path.name: len(path.read_text()) for path in sorted(folder.iterdir())}


def act(name: str, folder: Path) -> None:
    """Do what a clip's name says."""
    note(folder, name)
    if name.startswith("fail"):
        raise ClipError("timeout" if "slow" in name else "corrupt", f"{name} is\nbad", "earlier")
    if name.startswith("die"):
        os._exit(9)
    if name.startswith("once") and calls(folder)[name] == 1:
        os._exit(9)
    if "full" in name:
        # Others get time to finish first.
        time.sleep(0.3)
        raise OSError(errno.ENOSPC, "no space left")
    if name.startswith("late"):
        time.sleep(0.1)
    if name.startswith("bug"):
        raise TypeError(name)
    if name.startswith("zero"):
        raise ZeroDivisionError("a side of 0")
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("large"):
        bytearray(1 << 30)
    if name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)


def pool_work(task: tuple[str, str]) -> None:
    """Work of pool tests: (name, folder of marks)."""
    act(task[0], Path(task[1]))


def stage_work(task) -> None:
    """Work of stage tests: a clip file that holds the clip's id."""
    with replace_file(task.target) as temporary:
        temporary.write_text(f"{task.item.clip_id}\n")
        act(task.item.clip_id, task.settings)


def assemble(target: Path, clips) -> None:
    """Join clip files line by line."""
    target.write_bytes(b"".join(path.read_bytes() for _, path in clips))


def split(folder: Path, rows, wanted) -> Iterator[tuple[str, list[bytes]]]:
    """Cut a joined file into lines."""
    lines = (folder / "output.txt").read_bytes().splitlines(keepends=True)
    for row, line in zip(rows, lines, strict=True):
        if row.key in wanted:
            yield row.key, [line]


def encode_or_die(task) -> None:
    """Encode a clip, unless its name is die."""
    if task.item.clip_id == "die":
        os._exit(9)
    encode_clip(task)


def note_process(task: tuple[str, str]) -> None:
    """Write down which process did a task, one line each; a task "FILE NAME" is of a file."""
    name, folder = task
    if "fail" in name:
        raise ClipError("corrupt", name)
    with (Path(folder) / str(os.getpid())).open("a") as stream:
        stream.write(f"{name}\n")
