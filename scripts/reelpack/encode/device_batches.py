"""Batches for a GPU: clips decoded into raw files by other processes, encoded here across clips.

A pixel file `{key}.{crop set}.pixels` lies beside the clip file to be written: height and width as
int64, then uint8[frames, height, width, 3].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelpack.core.arrays import Frame
from reelpack.core.errors import ClipError
from reelpack.core.files import write_bytes
from reelpack.encode.codes import clip_bytes
from reelpack.encode.rows import build_row, check_same_size
from reelpack.encoders.interface import Encoder, encode_batch

# A clip with more pixels is encoded as it is decoded: disk stays small for videos of hours.
PIXEL_BYTES = 4 << 30
_HEAD = 2 * np.dtype(np.int64).itemsize


def pixel_files(target: Path, sets: int) -> list[Path]:
    """Return the names of a clip's pixel files."""
    return [target.with_suffix(f".{number:02d}.pixels") for number in range(sets)]


def long_mark(target: Path) -> Path:
    """Return the file that stands for a clip whose pixels are too many to be written."""
    return target.with_suffix(".long")


class PixelWriter:
    """Writes one clip's pixel files, or the mark of a long clip in their place.

    The files are read by nobody before `close`, so they are written under their own names.

    Args:
        target: the clip file that they are for.
        sets: crop sets.
    """

    def __init__(self, target: Path, sets: int) -> None:
        self._target = target
        self._names = pixel_files(target, sets)
        self._files = [path.open("wb") for path in self._names]
        self._shapes: list[tuple[int, ...]] = []
        self._bytes = 0

    @property
    def long(self) -> bool:
        """Whether the clip has too many pixels: what is added now is left out."""
        return self._bytes > PIXEL_BYTES

    def add(self, crops: Sequence[Frame]) -> None:
        """Add the next frame's crops, uint8[H, W, 3] each.

        Raises:
            ClipError: `encode`, when sizes change inside the clip.
        """
        if not self._shapes:
            self._shapes = [crop.shape for crop in crops]
            for file, shape in zip(self._files, self._shapes, strict=True):
                file.write(np.array(shape[:2], dtype=np.int64).tobytes())
        for file, crop, shape in zip(self._files, crops, self._shapes, strict=True):
            check_same_size(crop, shape)
            if not self.long:
                self._bytes += file.write(np.ascontiguousarray(crop).data)

    def close(self) -> None:
        """End the files.

        Raises:
            ClipError: too_short, when there was no frame.
        """
        if not self._shapes:
            raise ClipError("too_short", "no frame in this clip")
        if self.long:
            self.drop()
            write_bytes(long_mark(self._target), b"")
        for file in self._files:
            file.close()

    def drop(self) -> None:
        """Remove the files."""
        for file, path in zip(self._files, self._names, strict=True):
            file.close()
            path.unlink(missing_ok=True)


@dataclass
class _OpenClip:
    """A clip whose rows are on their way."""

    target: Path
    wanted: int
    rows: list[list[NDArray[Any]]]
    files: list[Path]
    given: int = 0
    failed: bool = False


@dataclass
class _Waiting:
    """Rows of one shape that make the next batch, and where their results go."""

    rows: list[Frame] = field(default_factory=list)
    owners: list[tuple[_OpenClip, int]] = field(default_factory=list)


class DeviceBatches:
    """Fills an encoder's batches across clips, those of each frame size by themselves.

    Args:
        encoder: any encoder.
        may_shrink: whether to go on with smaller batches when the device's memory runs out.
    """

    def __init__(self, encoder: Encoder, *, may_shrink: bool = True) -> None:
        self._encoder = encoder
        self._may_shrink = may_shrink
        self._waiting: dict[tuple[int, ...], _Waiting] = {}

    def add(self, target: Path, sets: int) -> Iterator[tuple[Path, ClipError | None]]:
        """Take a clip with pixel files.

        Yields:
            The clip files that are finished by it, and those of clips that failed, with the error.
        """
        files = pixel_files(target, sets)
        found = [list(self._rows(path)) for path in files]
        clip = _OpenClip(target, sum(map(len, found)), [[] for _ in files], files)
        for number, rows in enumerate(found):
            for row in rows:
                waiting = self._waiting.setdefault(row.shape, _Waiting())
                waiting.rows.append(row)
                waiting.owners.append((clip, number))
                if len(waiting.rows) >= self._encoder.batch_size:
                    yield from self._encode(row.shape)

    def finish(self) -> Iterator[tuple[Path, ClipError | None]]:
        """Encode what is left, each size in a batch that is filled up; yield as `add`."""
        for shape in list(self._waiting):
            yield from self._encode(shape)

    def _rows(self, path: Path) -> Iterable[Frame]:
        height, width = np.fromfile(path, dtype=np.int64, count=2).tolist()
        pixels = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEAD)
        frames = pixels.reshape(-1, height, width, 3)
        window = self._encoder.window
        for start in range(0, len(frames), window):
            part = frames[start : start + window]
            yield part if len(part) == window > 1 else build_row(list(part), window)

    def _encode(self, shape: tuple[int, ...]) -> Iterator[tuple[Path, ClipError | None]]:
        waiting = self._waiting.pop(shape)
        try:
            results = encode_batch(self._encoder, waiting.rows, may_shrink=self._may_shrink)
        except ClipError:
            yield from self._encode_singly(waiting)
            return
        for (clip, number), result in zip(waiting.owners, results, strict=True):
            yield from _keep_result(clip, number, result)

    def _encode_singly(self, waiting: _Waiting) -> Iterator[tuple[Path, ClipError | None]]:
        """Find the clips to blame for a batch that could not be encoded."""
        for row, (clip, number) in zip(waiting.rows, waiting.owners, strict=True):
            if clip.failed:
                continue
            try:
                result = encode_batch(self._encoder, [row], may_shrink=self._may_shrink)[0]
            except ClipError as error:
                clip.failed = True
                _remove(clip)
                yield clip.target, error
            else:
                yield from _keep_result(clip, number, result)


def _keep_result(
    clip: _OpenClip, number: int, result: NDArray[Any]
) -> Iterator[tuple[Path, ClipError | None]]:
    clip.rows[number].append(result)
    clip.given += 1
    if clip.given == clip.wanted and not clip.failed:
        write_bytes(clip.target, clip_bytes([np.stack(rows) for rows in clip.rows]))
        _remove(clip)
        yield clip.target, None


def _remove(clip: _OpenClip) -> None:
    for path in clip.files:
        path.unlink()
