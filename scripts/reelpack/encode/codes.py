"""Codes shards: the tokens of one shard's clips in one safetensors file.

Per crop set one tensor `{number}` with the tokens of all clips one after another, [sum of T, ...], and
`rows`, int64[clips + 1], where each clip begins and ends. The clips are the ledger's ok rows in their
order. The metadata key `reelpack` tells, as canonical JSON, with what they were made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save, save_file

from reelpack.core.files import reading
from reelpack.core.results import canonical
from reelpack.jobs.ledger import LedgerRow

Tokens = NDArray[Any]
METADATA = "reelpack"
ROWS = "rows"
_BLOCK_BYTES = 1 << 24


def clip_bytes(tokens: Sequence[Tokens]) -> bytes:
    """Return a clip file: one tensor [T, ...] per crop set."""
    # safetensors writes the wrong bytes of arrays that are not contiguous.
    arrays = {f"{number:02d}": np.ascontiguousarray(part) for number, part in enumerate(tokens)}
    return save(arrays)


def join_codes(target: Path, clips: Sequence[tuple[str, Path]], *, made_with: Any) -> None:
    """Write a codes shard from clip files, in their order."""
    files = [load_file(path) for _, path in clips]
    names = sorted(files[0]) if files else []
    tensors = {name: np.concatenate([file[name] for file in files]) for name in names}
    lengths = [len(file[names[0]]) for file in files]
    tensors[ROWS] = np.cumsum([0, *lengths], dtype=np.int64)
    save_file(tensors, target, metadata={METADATA: canonical(made_with)})


def _open(path: Path) -> Any:
    return safe_open(path, framework="np")


class CodesShard:
    """Reads clips out of one codes shard without loading it.

    Attributes:
        path: the file.
        made_with: device, versions and weights that the tokens come from.

    Raises:
        DamagedError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path):
            self._file = _open(path)
            self._rows = self._file.get_tensor(ROWS)
            self._names = sorted(name for name in self._file.keys() if name != ROWS)  # noqa: SIM118
            self.made_with = json.loads(self._file.metadata()[METADATA])

    def __len__(self) -> int:
        return len(self._rows) - 1

    def clip(self, number: int) -> list[Tokens]:
        """Return the tokens [T, ...] of one clip, one array per crop set."""
        with reading(self.path):
            start, end = self._rows[number : number + 2]
            return [self._file.get_slice(name)[start:end] for name in self._names]

    def blocks(self) -> Iterator[Tokens]:
        """Yield all tokens, crop set by crop set, in pieces [T, ...] of some megabytes."""
        with reading(self.path):
            for name in self._names:
                part = self._file.get_slice(name)
                count, *shape = part.get_shape()
                step = max(1, _BLOCK_BYTES // (8 * math.prod(shape)))
                for start in range(0, count, step):
                    yield part[start : min(start + step, count)]


def split_codes(
    folder: Path, rows: Sequence[LedgerRow], wanted: Collection[str]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Cut a sealed codes shard into clip files; see `journal.Journal`."""
    shard = CodesShard(folder / "output.safetensors")
    for number, row in enumerate(rows):
        if row.key in wanted:
            yield row.key, [clip_bytes(shard.clip(number))]
