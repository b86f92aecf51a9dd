"""Pack formats by name."""

from __future__ import annotations

from importlib import import_module

from reelpack.config.pack_rules import FORMAT_RULES
from reelpack.core.errors import UserError
from reelpack.packs.base import PackFormat


def get_format(name: str) -> PackFormat:
    """Return a pack format: the `FORMAT` of the module of this folder that is called so.

    Raises:
        UserError: no format has this name.
    """
    if name not in FORMAT_RULES:
        allowed = ", ".join(sorted(FORMAT_RULES))
        raise UserError(f"pack format {name!r} does not exist; allowed are: {allowed}")
    found: PackFormat = import_module(f"reelpack.packs.{name}").FORMAT
    return found
