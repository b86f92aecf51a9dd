"""Models that were trained here, as files: safetensors whose metadata say what they are of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.core.results import canonical

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

METADATA_KEY = "reelpack"
Model = TypeVar("Model", bound=nn.Module)


def write_model(
    path: Path, model: nn.Module, *, kind: str, architecture: DataclassInstance
) -> None:
    """Write a model, whole or not at all; equal models give equal bytes.

    The architecture goes into the metadata as one canonical JSON text, because the order of several
    metadata keys is left to chance.
    """
    from safetensors.torch import save_file

    text = canonical({"architecture": asdict(architecture), "model": kind})
    tensors = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with replace_file(path) as temporary:
        save_file(tensors, temporary, metadata={METADATA_KEY: text})


def read_model(
    path: Path, build: Callable[[Mapping[str, Any]], Model], *, kind: str, what: str
) -> Model:
    """Read a model that `write_model` wrote, into evaluation mode.

    Args:
        path: the file.
        build: makes an empty model from the architecture in the metadata.
        kind: as it was written.
        what: names the kind to people.

    Raises:
        UserError: the file is missing or does not hold such a model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if card["model"] != kind:
            raise ValueError(f"a model of kind {card['model']}")
        model = build(card["architecture"])
        model.load_state_dict(tensors)
    except (SafetensorError, FileNotFoundError, KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: holds no {what} of this project: {reason}") from error
    return model.eval()
