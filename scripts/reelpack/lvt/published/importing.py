"""What the import commands share: a checkpoint, the sizes on its card, and the model to write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def run_import(description: str, convert: Callable[[Path, Mapping[str, Any], Path], None]) -> None:
    """Parse the arguments of a command, and convert.

    Args:
        description: what the command says of itself.
        convert: takes the checkpoint, the card's `architecture:` and the file to write.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--checkpoint", required=True, type=Path, help="as it was published")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--model", required=True, type=Path, help="safetensors file to write")
    args = parser.parse_args()
    convert(args.checkpoint, json.loads(args.params)["architecture"], args.model)
