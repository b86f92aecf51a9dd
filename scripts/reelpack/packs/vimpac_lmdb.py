"""VIMPAC's token packs: one LMDB folder per crop, as `video2token` of airsplay/vimpac writes them.

A key is the clip's id in UTF-8, a value the bytes of `np.savez(tokens=int16[T, h, w],
label=int16[])`, label -1 for none. Keys are appended in sorted order: the file is as small as it
can be, its bytes depend on nothing but its content, and readers that go through all keys read it
from front to back.
"""

from __future__ import annotations

import io
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any
from weakref import WeakValueDictionary

import lmdb
import numpy as np

from reelpack.core.errors import ClipError, UserError
from reelpack.packs.access import Clips, PackPart
from reelpack.packs.base import PackFormat
from reelpack.packs.content import NO_FRAMES, cast_tokens, get_array
from reelpack.packs.entries import (
    Array,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    StoredEntry,
    Variant,
)

_DATA = "data.mdb"
_ARGS = "args.json"
_MAX_KEY_BYTES = 511
NO_LABEL = -1
_COMMIT_BYTES = 32 << 20
# The datasets' names and splits as vimpac/data.py spells them where it differs from video2token.
_READER_DATASETS = {"sthv2": "ssv2"}
_READER_SPLITS = {("ucf101", "train_val"): "train_test", ("hmdb51", "train_val"): "train_test"}


@dataclass
class _OpenFiles:
    """The LMDB files that this process reads."""

    process: int
    environments: WeakValueDictionary[tuple[int, int], lmdb.Environment]


_OPEN = _OpenFiles(os.getpid(), WeakValueDictionary())


class VimpacLmdb(PackFormat):
    """LMDB folders `{encoder}_{dataset}_{split}_fps{F}_hflip{0|1}_{shorter}{position}{size}`."""

    def check(self, context: PackContext) -> None:
        """Raise `UserError` when two crops would share a folder, or when there is none."""
        super().check(context)
        folders: dict[str, str] = {}
        for variant in context.variants:
            folder = name_folder(context, variant)
            if folder in folders:
                raise UserError(
                    f"recipe {context.recipe}: crops {folders[folder]} and {variant.name} "
                    f"are both called {folder} in {self.name}"
                )
            folders[folder] = variant.name

    def store(self, entry: Entry, context: PackContext) -> StoredEntry:
        """Return tokens as int16[T, h, w] and a label of -1 for none.

        Raises:
            ClipError: the id cannot be an LMDB key, the label does not fit int16, or there are no frames.
            UserError: the tokens have several codebooks or do not fit int16.
        """
        del context
        size = len(entry.clip_id.encode())
        if not 0 < size <= _MAX_KEY_BYTES:
            raise ClipError("pack", f"the id has {size} bytes, LMDB keys 1 to {_MAX_KEY_BYTES}")
        label = NO_LABEL if entry.label is None else entry.label
        bounds = np.iinfo(np.int16)
        if not bounds.min <= label <= bounds.max:
            raise ClipError("pack", f"label {label} does not fit int16")
        arrays = cast_tokens(entry, self)
        if any(not len(tokens) for tokens in arrays.values()):
            raise ClipError("pack", NO_FRAMES)
        return StoredEntry(entry.clip_id, label, arrays)

    def write(self, folder: Path, entries: Iterable[StoredEntry], context: PackContext) -> None:
        """Write one LMDB folder per crop with `args.json` in it."""
        spools = {variant.name: _Spool() for variant in context.variants}
        keys: list[bytes] = []
        with ExitStack() as stack:
            for name, spool in spools.items():
                spool.open(folder / f".spool-{name}", stack)
            for entry in entries:
                keys.append(entry.clip_id.encode())
                for name, spool in spools.items():
                    spool.append(_dump(get_array(entry, name), entry.label))
            order = sorted(range(len(keys)), key=keys.__getitem__)
            for variant in context.variants:
                place = folder / name_folder(context, variant)
                place.mkdir()
                spools[variant.name].write_lmdb(place, keys, order)
                _write_text(place / _ARGS, _make_args(context, variant))

    def write_failed(self, folder: Path, context: PackContext, failed_ids: Sequence[str]) -> None:
        """Write `err_filepaths.txt` into each LMDB folder."""
        text = "".join(f"{clip_id}\n" for clip_id in failed_ids)
        for variant in context.variants:
            _write_text(folder / name_folder(context, variant) / "err_filepaths.txt", text)

    def list_parts(self, folder: Path) -> Iterator[PackPart]:
        """Yield the LMDB folders."""
        for place in _list_folders(folder):
            files = [f"{place.name}/{name}" for name in (_DATA, _ARGS)]
            yield PackPart(place.name, files, partial(_read_folder, place))

    def open(self, folder: Path) -> Clips:
        """Return the clips in the order of sorted keys."""
        return _VimpacClips(folder)

    def list_links(self, context: PackContext) -> dict[str, str]:
        """Return the names that VIMPAC's own `data.py` opens where they are different."""
        dataset = _READER_DATASETS.get(context.dataset, context.dataset)
        split = _READER_SPLITS.get((context.dataset, context.split), context.split)
        if (dataset, split) == (context.dataset, context.split):
            return {}
        read_as = replace(context, dataset=dataset, split=split)
        return {
            name_folder(read_as, variant): name_folder(context, variant)
            for variant in context.variants
        }


FORMAT = VimpacLmdb()


class _VimpacClips(Clips):
    """All LMDB folders of a pack."""

    def __init__(self, folder: Path) -> None:
        self._crops = {_read_variant(place): VimpacTokens(place) for place in _list_folders(folder)}
        first, *others = self._crops.values()
        if any(other.clip_ids != first.clip_ids for other in others):
            raise UserError(
                f"{folder}: its crops do not hold the same clips; ./reelpack verify tells more"
            )
        self._length = len(first)

    def __len__(self) -> int:
        return self._length

    def read(self, number: int) -> Iterator[PackEntry]:
        """Read a clip, with a label of None for none."""
        for name, crop in self._crops.items():
            clip_id, tokens, label = crop[number]
            yield PackEntry(name, clip_id, None if label == NO_LABEL else label, tokens)


class VimpacTokens:
    """The clips of one LMDB folder as a map-style dataset, for use with torch's `DataLoader`.

    Items are (clip_id, tokens int16[T, h, w], label), in the order of sorted keys. The file is
    opened at the first access in each process, so that instances can be handed to workers.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Read the keys.

        Args:
            folder: an LMDB folder inside a pack.
        """
        self._folder = Path(folder)
        self._environment: lmdb.Environment | None = None
        self._process = 0
        with _open(self._folder).begin() as reading:
            self._keys = list(reading.cursor().iternext(values=False))

    @property
    def clip_ids(self) -> list[str]:
        """The clips in their order."""
        return [key.decode() for key in self._keys]

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> tuple[str, Array, int]:
        """Return (clip_id, tokens int16[T, h, w], label); label -1 means none."""
        key = self._keys[index]
        with self._opened().begin(buffers=True) as reading:
            tokens, label = _parse(reading.get(key))
        return key.decode(), tokens, label

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_environment": None}

    def _opened(self) -> lmdb.Environment:
        if self._environment is None or self._process != os.getpid():
            self._environment = _open(self._folder)
            self._process = os.getpid()
        return self._environment


def name_folder(context: PackContext, variant: Variant) -> str:
    """Return the name of a crop's LMDB folder.

    Where the published scheme has no word: `sq256` for frames scaled to a square, `native` for ones
    that are not scaled, `none` for no cut, `2d3` for a rate of 2/3, `none` for a sampling without a
    rate.
    """
    rate = "none" if context.fps is None else context.fps.replace("/", "d")
    if variant.square is not None:
        scaled = f"sq{variant.square}"
    else:
        scaled = "native" if variant.shorter_side is None else str(variant.shorter_side)
    cut = "none" if variant.size is None else f"{variant.position}{variant.size}"
    made = f"{context.encoder or 'dalle'}_{context.dataset}_{context.split}_fps{rate}"
    return f"{made}_hflip{int(variant.hflip)}_{scaled}{cut}"


@dataclass
class _Spool:
    """Values of one crop in list order, on disk, until their keys can be sorted."""

    offsets: array[int] = field(default_factory=lambda: array("q", [0]))

    def open(self, path: Path, stack: ExitStack) -> None:
        self._file: IO[bytes] = stack.enter_context(path.open("w+b"))
        # Without a name it cannot be left behind.
        path.unlink()

    def append(self, value: bytes) -> None:
        self._file.write(value)
        self.offsets.append(self.offsets[-1] + len(value))

    def write_lmdb(self, folder: Path, keys: Sequence[bytes], order: Sequence[int]) -> None:
        """Append all values by sorted key into a new LMDB file, and free the spool."""
        size = _map_bytes(self.offsets, page_bytes=os.sysconf("SC_PAGE_SIZE"))
        with lmdb.open(str(folder), map_size=size, lock=False, sync=False) as environment:
            writing = environment.begin(write=True)
            pending = 0
            for index in order:
                value = self._read(index)
                writing.put(keys[index], value, append=True)
                pending += len(value)
                if pending >= _COMMIT_BYTES:
                    writing.commit()
                    writing = environment.begin(write=True)
                    pending = 0
            writing.commit()
            environment.sync(True)
        self._file.truncate(0)

    def _read(self, index: int) -> bytes:
        start, end = self.offsets[index], self.offsets[index + 1]
        self._file.seek(start)
        return self._file.read(end - start)


def _map_bytes(offsets: Sequence[int], *, page_bytes: int) -> int:
    """Return a map size that the values surely fit.

    A value takes whole pages of its own (16 bytes of them for a header) beside at most a quarter of
    a leaf page for key and node, and a branch page serves more than two leaves, so two pages more
    than its bytes fill cover each value. One commit copies less than 64 pages of the tree; there is
    one per `_COMMIT_BYTES`. The rounding to a power of two only keeps the number in the file's head
    from looking odd.
    """
    lengths = np.diff(np.asarray(offsets, dtype=np.int64))
    pages = int(np.sum((lengths + 16) // page_bytes + 3)) if len(lengths) else 0
    pages += 64 * (2 + offsets[-1] // _COMMIT_BYTES)
    return max(1 << 20, 1 << (pages * page_bytes - 1).bit_length())


def _dump(tokens: Array, label: int | None) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, tokens=tokens, label=np.array(label, dtype=np.int16))
    return buffer.getvalue()


def _parse(value: Any) -> tuple[Array, int]:
    with np.load(io.BytesIO(value), allow_pickle=False) as arrays:
        return arrays["tokens"], int(arrays["label"])


def _make_args(context: PackContext, variant: Variant) -> str:
    settings = {
        **context.settings,
        "model_type": context.encoder or "dalle",
        "dset_name": context.dataset,
        "split": context.split,
        "recipe": context.recipe,
        "variant": variant.name,
        "fps": context.fps,
        "frame_shorter_size": variant.shorter_side,
        "frame_square_size": variant.square,
        "frame_out_size": variant.size,
        "crop_type": "none" if variant.size is None else variant.position,
        "hflip": variant.hflip,
        "np_dtype": "int16",
    }
    return json.dumps(settings, indent=4, sort_keys=True, ensure_ascii=False)


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)


def _open(folder: Path) -> lmdb.Environment:
    """Open an LMDB folder for reading, or hand out the one that is open; it closes when let go.

    py-lmdb refuses to open a file twice in one process, and counts what was open before a fork.

    Raises:
        ValueError: the file is shorter than its own head says; reading on would kill the process.
    """
    if _OPEN.process != os.getpid():
        for inherited in list(_OPEN.environments.values()):
            inherited.close()
        _OPEN.environments.clear()
        _OPEN.process = os.getpid()
    file = (folder / _DATA).stat()
    environment = _OPEN.environments.get((file.st_dev, file.st_ino))
    if environment is None:
        environment = lmdb.open(str(folder), readonly=True, create=False, lock=False)
        needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if file.st_size < needed:
            environment.close()
            raise ValueError(f"{_DATA} has {file.st_size} bytes, its head says {needed}")
        _OPEN.environments[file.st_dev, file.st_ino] = environment
    return environment


def _list_folders(pack: Path) -> list[Path]:
    places = (args.parent for args in sorted(pack.glob(f"*/{_ARGS}")))
    return [place for place in places if not place.is_symlink()]


def _read_variant(folder: Path) -> str:
    return str(json.loads((folder / _ARGS).read_text(encoding="utf-8"))["variant"])


def _read_folder(folder: Path) -> Iterator[PackEntry | PackDamage]:
    variant = _read_variant(folder)
    name = f"{folder.name}/{_DATA}"
    yield from PackPart(name, [], partial(_read_values, folder, variant), variant).read_undamaged()


def _read_values(folder: Path, variant: str) -> Iterator[PackEntry | PackDamage]:
    with _open(folder).begin() as reading:
        for key, value in reading.cursor():
            clip_id = key.decode(errors="backslashreplace")
            one = partial(_read_value, variant, clip_id, value)
            yield from PackPart(f"value of {clip_id}", [], one, variant, clip_id).read_undamaged()


def _read_value(variant: str, clip_id: str, value: bytes) -> Iterator[PackEntry]:
    tokens, label = _parse(value)
    yield PackEntry(variant, clip_id, label, tokens)
