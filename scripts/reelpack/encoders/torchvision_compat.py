"""Import timm, which imports torchvision, also where torchvision's compiled part cannot be loaded.

torchvision's wheel is built for CUDA. Beside a CPU-only torch its library does not load, and its
import then stops because the operators that the library would define (`nms`, `qnms`: both for
detection) are missing. Declaring them, without an implementation, lets the import pass; calling
one still fails.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []


@cache
def import_torchvision() -> ModuleType:
    """Import torchvision; declare its missing operators only where the plain import fails."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    # Kept in a list: an operator is gone as soon as its library object is.
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module("torchvision")


def import_timm() -> Any:
    """Import timm."""
    import_torchvision()
    return importlib.import_module("timm")
