"""The journal of a job: finished clips, kept where a killed or repeated job finds them again.

Snakemake deletes a job's declared outputs when the job starts or fails. So every finished clip first
becomes a file here, named by a key over clip and result string (temporary name, fsync, rename). When
all are there the stage assembles its outputs and *seals* them: the outputs get a second name in the
journal (a hard link, no second copy), and the files of single clips go. A later run of the job splits
the sealed outputs into clip files again, as far as its keys still want them. A link shares its bytes
with the declared output, which anybody may have damaged since: the seal holds the ledger's checksum,
the ledger those of the clips, and what differs is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from reelpack.core.errors import ClipError
from reelpack.core.files import link_or_copy, replace_file, sha256_file, write_bytes
from reelpack.jobs.ledger import LedgerRow, read_ledger
from reelpack.jobs.retries import Retries

LEDGER = "ledger.parquet"
SEAL = "ledger.sha256"
Splitter = Callable[
    [Path, Sequence[LedgerRow], Collection[str]], Iterator[tuple[str, Iterable[bytes]]]
]


@contextmanager
def lock_journal(folder: Path) -> Iterator[None]:
    """Keep a journal to this process: a job that outlived its workflow and its successor take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{folder}: another process is at work here; waiting for its end", flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        print(f"{folder}: cannot be locked here ({error.strerror}), going on without", flush=True)


def find_settled_keys(folder: Path, retries: Retries) -> frozenset[str]:
    """Return the keys that a sealed journal has done or failed for good, without opening it up."""
    if not (folder / LEDGER).exists():
        return frozenset()
    rows = _read_sealed(folder)
    return frozenset(row.key for row in rows if row.ok or _stands(row, retries))


def _stands(row: LedgerRow, retries: Retries) -> bool:
    """Whether a failure is final until a person asks again; what was missing may be back."""
    return row.failure != "missing" and row.retry == retries.mark(row.failure)


def _read_sealed(folder: Path) -> list[LedgerRow]:
    seal, ledger = folder / SEAL, folder / LEDGER
    if not seal.exists() or seal.read_bytes() != sha256_file(ledger).encode():
        return []
    return read_ledger(ledger)


class Journal:
    """Finished and failed clips of one job.

    Args:
        folder: the job's own folder in the journal.
        stage: name written into ledger rows.
        retries: a failure seen under other counters is forgotten, so that it is tried again.
        keys: the keys this run wants; others are dropped.
        split: cuts sealed outputs into (key, bytes of its clip file); it gets the folder, the ledger's
            ok rows in their order, and the keys that are wanted. Of damaged outputs it may raise
            anything and give anything.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stage: str,
        retries: Retries,
        keys: Collection[str],
        split: Splitter,
    ) -> None:
        self.folder = folder
        self.stage = stage
        self.retries = retries
        self.keys = frozenset(keys)
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        if (folder / LEDGER).exists():
            self._unseal(split)

    def _unseal(self, split: Splitter) -> None:
        rows = _read_sealed(self.folder)
        for row in rows:
            if not row.ok and row.key in self.keys:
                write_bytes(self._failed(row.key), json.dumps(asdict(row)).encode())
        good = [row for row in rows if row.ok]
        wanted = {row.key: row.digest for row in good if row.key in self.keys}
        wanted = {key: value for key, value in wanted.items() if not self.done(key)}
        for key, blocks in _pass_readable(split(self.folder, good, wanted.keys())):
            with replace_file(self._file(key)) as temporary, temporary.open("wb") as stream:
                stream.writelines(blocks)
            if sha256_file(self._file(key)) != wanted[key]:
                self._file(key).unlink()
        (self.folder / LEDGER).unlink()

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.clip"

    def _failed(self, key: str) -> Path:
        return self.folder / f"{key}.failed"

    def done(self, key: str) -> bool:
        """Whether the clip is finished."""
        return self._file(key).exists()

    def path(self, key: str) -> Path:
        """Return the file of a finished clip."""
        return self._file(key)

    def failure(self, key: str) -> LedgerRow | None:
        """Return the failure that was seen of this clip under the same counters, if any."""
        if not self._failed(key).exists():
            return None
        row = LedgerRow(**json.loads(self._failed(key).read_bytes()))
        return row if row.retry == self.retries.mark(row.failure) else None

    def fail(self, key: str, clip_id: str, error: ClipError) -> None:
        """Keep a clip's failure."""
        mark = self.retries.mark(error.failure)
        stage = error.stage or self.stage
        row = LedgerRow(clip_id, stage, "failed", error.failure, error.message, key=key, retry=mark)
        write_bytes(self._failed(key), json.dumps(asdict(row)).encode())

    def forget(self, keys: Iterable[str]) -> None:
        """Drop finished clips, so that they are done again."""
        for key in keys:
            self._file(key).unlink(missing_ok=True)

    def open_keys(self, keys: Iterable[str]) -> list[str]:
        """Return the keys that are neither finished nor failed for good, in their order."""
        return [key for key in keys if not (self.done(key) or self._has_failed(key))]

    def _has_failed(self, key: str) -> bool:
        failure = self.failure(key)
        return failure is not None and _stands(failure, self.retries)

    def row(self, key: str, clip_id: str) -> LedgerRow:
        """Return a clip's ledger row.

        Raises:
            KeyError: it is neither finished nor failed.
        """
        if self.done(key):
            digest = sha256_file(self._file(key))
            return LedgerRow(clip_id, self.stage, "ok", key=key, digest=digest)
        failure = self.failure(key)
        if failure is None:
            raise KeyError(key)
        return failure

    def seal(self, outputs: Mapping[str, Path]) -> None:
        """Give the job's outputs a second name here and drop the files of single clips.

        Args:
            outputs: name in the journal -> output; the ledger must be among them as `LEDGER`.
        """
        for name, path in outputs.items():
            link_or_copy(path, self.folder / name)
        write_bytes(self.folder / SEAL, sha256_file(outputs[LEDGER]).encode())
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in (*outputs, SEAL):
                path.unlink(missing_ok=True)


def _pass_readable(
    pieces: Iterator[tuple[str, Iterable[bytes]]],
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Pass on what a damaged output still gives; every reader fails over damage in its own ways."""
    try:
        yield from pieces
    except Exception as error:
        print(
            f"a finished output is damaged and is made again: {' '.join(str(error).split())}",
            flush=True,
        )
