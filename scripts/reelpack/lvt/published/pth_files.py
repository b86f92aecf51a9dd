"""Files of published checkpoints: pickles, of which only tensors and plain containers are admitted."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reelpack.core.errors import UserError


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the parameters of one checkpoint file by name.

    The names lose the `module.` that training on several GPUs puts before them.

    Raises:
        UserError: no such file, or it holds no parameters, or more than tensors and containers.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not a checkpoint of tensors alone: {reason}") from error
    tensors = state.get("model", state) if isinstance(state, Mapping) else None
    if not isinstance(tensors, Mapping) or not tensors:
        raise UserError(f"{path}: holds no parameters under 'model'")
    if wrong := [name for name, value in tensors.items() if not isinstance(value, Tensor)]:
        raise UserError(f"{path}: {wrong[0]!r} is not a tensor")
    wrapped = all(name.startswith("module.") for name in tensors)
    return {name.removeprefix("module.") if wrapped else name: t for name, t in tensors.items()}
