"""Turn a published video transformer (netG/model_final.pth) into a model to generate with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelpack.config.transformer_sizes import Sizes
from reelpack.jobs import cli
from reelpack.lvt.published.importing import run_import
from reelpack.lvt.published.transformer_checkpoints import load_published
from reelpack.lvt.transformer.model_files import save_model


def convert(checkpoint: Path, architecture: Mapping[str, Any], target: Path) -> None:
    """Write the model; the card's sizes must be its own."""
    save_model(load_published(checkpoint, Sizes.from_mapping(architecture)), target)


def main() -> None:
    """Parse the arguments and convert."""
    run_import(str(__doc__), convert)


if __name__ == "__main__":
    cli.run_job(main)
