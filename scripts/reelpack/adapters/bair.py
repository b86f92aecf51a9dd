"""BAIR robot pushing: tfrecords of sequences of 30 pictures, 64 x 64; the files are the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ClipError, UserError
from .table import clip_table, split_of
from .tfrecord import count_records, parse_example, read_record, read_records

NAME = "bair"
SPLITS = {split: split for split in ("train", "test")}
ENDING = ".tfrecords"
PICTURES, SIDE = 30, 64
PICTURE_KEY = "{}/image_aux1/encoded"


def read(folder: Path, *, split: str, options: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG001
    """List the sequences of one split, without reading pictures.

    Args:
        folder: holds train/*.tfrecords and test/*.tfrecords.
        split: train or test.
        options: none.

    Returns:
        See `clip_table`; record is a sequence's number in its file from 1, clip ids are
        `{split}/{file less ".tfrecords"}/{record}`.

    Raises:
        UserError: no such files, or a damaged one.
    """
    part = split_of(split, SPLITS, adapter=NAME)
    paths = sorted((folder / part).glob(f"*{ENDING}"))
    if not paths:
        raise UserError(f"{folder / part}: adapter {NAME} needs *{ENDING}; there is none")
    try:
        counts = [count_records(path) for path in paths]
    except ClipError as error:
        raise UserError(error.message) from error
    names = pd.Series([f"{part}/{path.name}" for path in paths], dtype="str")
    video = names.repeat(counts).reset_index(drop=True)
    record = video.groupby(video, sort=False).cumcount() + 1
    stem = video.str.removesuffix(ENDING)
    return clip_table(
        {"clip_id": stem + "/" + record.astype("str"), "video": video, "record": record},
        split=split,
        path=folder / part,
    )


def read_sequences(path: Path) -> Iterator[np.ndarray]:
    """Yield the sequences of a file in order, uint8[30,64,64,3] RGB.

    Raises:
        ClipError: missing or corrupt.
    """
    for number, payload in enumerate(read_records(path), start=1):
        yield _sequence(payload, f"{path}: record {number}")


def read_sequence(path: Path, record: int) -> np.ndarray:
    """Return one sequence, uint8[30,64,64,3] RGB; `record` counts from 1.

    Raises:
        ClipError: missing or corrupt.
    """
    return _sequence(read_record(path, record), f"{path}: record {record}")


def _sequence(payload: bytes, where: str) -> np.ndarray:
    try:
        features = parse_example(payload)
    except ClipError as error:
        raise ClipError("corrupt", f"{where}: {error.message}") from error
    pictures = np.empty((PICTURES, SIDE, SIDE, 3), dtype=np.uint8)
    for number in range(PICTURES):
        key = PICTURE_KEY.format(number)
        data = features.get(key, [b""])[0]
        if len(data) != pictures[number].nbytes:
            raise ClipError(
                "corrupt",
                f"{where}: {key} has {len(data)} bytes; {pictures[number].nbytes} wanted",
            )
        pictures[number] = np.frombuffer(data, dtype=np.uint8).reshape(SIDE, SIDE, 3)
    return pictures
