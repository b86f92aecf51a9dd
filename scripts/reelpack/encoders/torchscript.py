"""Read the tensors of a TorchScript archive without running its code.

An archive of `torch.jit.save` is a zip of stored files: the program's text under `code/`, a pickle
`data.pkl` of the module's attributes, and one file of raw numbers per storage under `data/`. Only
the pickle and the numbers are opened. Classes of the program (`__torch__...`) become inert
stand-ins that hold attributes; the one function admitted rebuilds a tensor from its storage, in
bounds; any other name stops the reading before it is looked up.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reelpack.core.errors import UserError

_DTYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LISTS = frozenset({"build_intlist", "build_doublelist", "build_boollist", "build_tensorlist"})


def read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    """Return every tensor among the attributes of an archive's modules.

    Args:
        path: file of `torch.jit.save`.

    Returns:
        Tensors on the CPU by dotted name, as `torch.jit.load(path).state_dict()` would name them;
        tensors that are plain attributes, no parameters or buffers, are there too.

    Raises:
        UserError: the file names anything that tensors and modules do not need, or is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return OrderedDict(_walk_tensors(_load_module(archive), ()))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not a TorchScript archive: {reason}") from error


def _load_module(archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    roots = [name.removesuffix("constants.pkl") for name in names if _is_constants(name)]
    if len(roots) != 1 or f"{roots[0]}data.pkl" not in names:
        raise UserError("not a TorchScript archive: no data.pkl beside one constants.pkl")
    root = roots[0]
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise UserError("numbers with the most significant byte first; allowed: little-endian")
    return _ScriptUnpickler(io.BytesIO(archive.read(f"{root}data.pkl")), archive, root).load()


def _is_constants(name: str) -> bool:
    return name.endswith("/constants.pkl") and name.count("/") == 1


@dataclass(frozen=True)
class _StorageType:
    dtype: torch.dtype


class _ScriptModule:
    """Holds the attributes of one of the program's modules; has no behaviour."""


class _ScriptUnpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        full = f"{module}.{name}"
        if full.startswith("__torch__."):
            # A type of its own: a pickle may set attributes on what it names.
            return type("StandIn", (_ScriptModule,), {})
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        if module == "torch.jit._pickle" and name in _LISTS:
            return list
        if full == "torch.jit._pickle.restore_type_tag":
            return self.untag
        if full == "collections.OrderedDict":
            return OrderedDict
        if full == "torch._utils._rebuild_tensor_v2":
            return self.rebuild
        raise UserError(
            f"the archive asks for {full}, which weights do not need; nothing of it was run"
        )

    def persistent_load(self, pid: Any, /) -> torch.Tensor:
        kind, storage_type, key, _, count = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise UserError("a storage without a type")
        if str(key) not in self._storages:
            raw = self._archive.read(f"{self._root}data/{int(key)}")
            self._storages[str(key)] = _read_numbers(raw, storage_type.dtype)
        storage = self._storages[str(key)]
        if storage.dtype != storage_type.dtype or len(storage) < count:
            raise UserError(f"storage {key} is not {count} numbers of {storage_type.dtype}")
        return storage

    def rebuild(
        self,
        storage: torch.Tensor,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_: Any,
    ) -> torch.Tensor:
        if math.prod(size) > len(storage):
            raise UserError(f"a tensor of shape {size} from {len(storage)} numbers")
        # as_strided checks that the last element lies inside the storage.
        return torch.as_strided(storage, tuple(size), tuple(stride), offset)

    def untag(self, value: Any, _type: str) -> Any:
        return value


def _read_numbers(raw: bytes, dtype: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)


def _walk_tensors(module: Any, path: tuple[str, ...]) -> Iterator[tuple[str, torch.Tensor]]:
    if not isinstance(module, _ScriptModule):
        raise UserError(f"not a TorchScript archive of a module, but of a {type(module).__name__}")
    for name, value in vars(module).items():
        if isinstance(value, torch.Tensor):
            yield ".".join((*path, name)), value
        elif isinstance(value, _ScriptModule):
            yield from _walk_tensors(value, (*path, name))
