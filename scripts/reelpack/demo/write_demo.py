"""Demo videos, made on the spot: nothing in, a folder of small clips and `demo.csv` out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from reelpack.core.files import write_bytes
from reelpack.demo.demo_clips import DEMO_CLIPS
from reelpack.demo.encode_clip import encode_clip


def write_demo(folder: Path) -> Path:
    """Write every demo clip and `demo.csv` below `folder`.

    Files that already hold the right bytes are left alone, times included.

    Args:
        folder: made when it is not there.

    Returns:
        The path of `demo.csv`: columns path, start, end, label, caption.

    Raises:
        OSError: the folder cannot be written to.
    """
    for clip in DEMO_CLIPS:
        _write(folder / clip.path, encode_clip(clip))
    table = folder / "demo.csv"
    _write(table, _make_table().encode())
    return table


def _make_table() -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "start", "end", "label", "caption"])
    for clip in DEMO_CLIPS:
        for start, end in clip.windows or (("", ""),):
            table.writerow([clip.path, start, end, clip.label, clip.caption])
    return text.getvalue()


def _write(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)
