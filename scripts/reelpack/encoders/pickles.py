"""Read a pickled torch module or state dict without running anything that the file names.

`torch.save` writes a pickle that names classes and functions to call. This reader admits the few
names that tensors and a plain module need. A class becomes an inert stand-in that only holds
attributes, and the two functions that are called rebuild a tensor from its storage; any other name
stops the reading before it is looked up. Both of torch's file formats are read: the zip archive
(1.6 and later) and the stream of pickles before it.
"""

from __future__ import annotations

import pickle
import tarfile
import types
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import torch

from reelpack.core.errors import UserError

MODULE_CLASSES = frozenset(
    {
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.linear.Identity",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.modules.upsampling.Upsample",
    }
)


def read_module(path: Path, *, classes: frozenset[str]) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a module that was saved whole.

    Args:
        path: file of `torch.save(module, path)`, in either format.
        classes: full names (`package.module.Class`) of module classes to admit besides the ReLU,
            Sequential, Identity, MaxPool2d and Upsample of torch.nn.

    Returns:
        Tensors on the CPU by dotted name, as the module's `state_dict()` would name them.

    Raises:
        UserError: the file names anything else, or is not such a file.
    """
    module = _load(path, classes | MODULE_CLASSES, what="module")
    try:
        return OrderedDict(_walk_tensors(module, ()))
    except (AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: the pickle holds no module: {_shorten(error)}") from error


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a saved state dict.

    A checkpoint that holds the state dict under the key `state_dict` will do too, and so will names
    that all begin with `module.`, as torch's DataParallel writes them: the prefix is taken off.

    Args:
        path: file of `torch.save(model.state_dict(), path)`, in either format.

    Returns:
        Tensors on the CPU by dotted name.

    Raises:
        UserError: the file asks for any class or function but those that rebuild tensors, or holds
            anything but tensors by name.
    """
    found = _load(path, frozenset(), what="state dict")
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path}: holds no state dict, but a {type(found).__name__}")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: not a state dict: {name!r} is a {type(tensor).__name__}")
    prefix = "module." if all(name.startswith("module.") for name in found) else ""
    return {name.removeprefix(prefix): tensor.detach() for name, tensor in found.items()}


def _load(path: Path, classes: frozenset[str], *, what: str) -> Any:
    _refuse_other_archives(path, what=what)
    try:
        with warnings.catch_warnings():
            # The old format holds the source of each class, which torch compares with the stand-in.
            warnings.simplefilter("ignore")
            return torch.load(
                path, map_location="cpu", weights_only=False, pickle_module=_make_reader(classes)
            )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise UserError(f"{path}: not a {what} saved by torch: {_shorten(error)}") from error


def _refuse_other_archives(path: Path, *, what: str) -> None:
    """Refuse what torch.load would hand to TorchScript or tarfile instead of the unpickler."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[:2] == b"\x80\x02" and not tarfile.is_tarfile(path):
        return
    if start != b"PK\x03\x04" or not zipfile.is_zipfile(path):
        raise UserError(f"{path}: neither of torch's two file formats (zip, or a pickle stream)")
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise UserError(f"{path}: a TorchScript archive; expected a {what} saved by torch.save")


def _make_reader(classes: frozenset[str]) -> types.ModuleType:
    """Return what torch.load wants as `pickle_module`, with a table made for this one reading.

    A pickle may set attributes on what it names; with fresh stand-ins nothing of that outlives it.
    """
    table = _admit(classes)

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            try:
                return table[f"{module}.{name}"]
            except KeyError:
                raise UserError(
                    f"the pickle asks for {module}.{name}, which weights of this kind do not need;"
                    " nothing of it was run"
                ) from None

    def load(file: IO[bytes], **options: Any) -> Any:
        return Unpickler(file, **options).load()

    reader = types.ModuleType("restricted_pickle")
    vars(reader).update(Unpickler=Unpickler, load=load)
    return reader


def _admit(classes: frozenset[str]) -> dict[str, Callable[..., Any]]:
    def rebuild_tensor(
        storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> torch.Tensor:
        return torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-any-return, no-untyped-call]

    def rebuild_parameter(data: torch.Tensor, *_: Any) -> torch.Tensor:
        return data

    def text(value: str) -> str:
        return value

    table: dict[str, Callable[..., Any]] = {
        name: type(name.rpartition(".")[2], (_PickledModule,), {}) for name in classes
    }
    return table | {
        "__builtin__.set": set,
        "builtins.set": set,
        "collections.OrderedDict": OrderedDict,
        "torch.device": text,
        "torch._utils._rebuild_parameter": rebuild_parameter,
        # Files of torch before 0.4 have the first form.
        "torch._utils._rebuild_tensor": rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    }


class _PickledModule:
    """Holds the attributes of a pickled module; has no behaviour."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]

    def __init__(self, *_: object) -> None:
        raise UserError("the pickle calls a class instead of restoring one; nothing of it was run")


def _walk_tensors(module: Any, path: tuple[str, ...]) -> Iterator[tuple[str, torch.Tensor]]:
    if not isinstance(module, _PickledModule):
        raise TypeError(f"{'.'.join(path) or 'the whole'} is a {type(module).__name__}")
    for group in (module._parameters, module._buffers):
        for name, tensor in group.items():
            if tensor is None:
                continue
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{'.'.join((*path, name))} is not a tensor")
            yield ".".join((*path, name)), tensor.detach()
    for name, child in module._modules.items():
        yield from _walk_tensors(child, (*path, name))


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
