"""Turn a published VQ-VAE of Latent Video Transformer (netE, netG, netC) into a model to encode with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelpack.encoders.vqvae import Architecture, save_model
from reelpack.jobs import cli
from reelpack.lvt.published.importing import run_import
from reelpack.lvt.published.vqvae_checkpoints import check_architecture, load_published


def convert(checkpoint: Path, architecture: Mapping[str, Any], target: Path) -> None:
    """Write the model, unless its sizes are others than the card's."""
    wanted = Architecture.from_mapping(architecture)
    model = load_published(checkpoint)
    check_architecture(model, wanted, where=checkpoint)
    save_model(model, target)


def main() -> None:
    """Parse the arguments and convert."""
    run_import(str(__doc__), convert)


if __name__ == "__main__":
    cli.run_job(main)
