"""Sequences of BAIR's robot pushing in their tfrecords: 30 frames of 64 x 64 each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reelpack.core.errors import ClipError
from reelpack.video.tfrecord import parse_example, read_record

FRAMES, SIDE = 30, 64
FRAME_KEY = "{}/image_aux1/encoded"


def read_sequence(path: Path, record: int) -> np.ndarray:
    """Return one sequence, uint8[30,64,64,3] RGB; `record` counts from 1.

    Raises:
        ClipError: missing or corrupt.
    """
    where = f"{path}: record {record}"
    payload = read_record(path, record)
    try:
        features = parse_example(payload)
    except ClipError as error:
        raise ClipError("corrupt", f"{where}: {error.message}") from error
    frames = np.empty((FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    for number in range(FRAMES):
        key = FRAME_KEY.format(number)
        data = features.get(key, [b""])[0]
        if len(data) != frames[number].nbytes:
            raise ClipError(
                "corrupt",
                f"{where}: {key} has {len(data)} bytes; {frames[number].nbytes} wanted",
            )
        frames[number] = np.frombuffer(data, dtype=np.uint8).reshape(SIDE, SIDE, 3)
    return frames
