"""Turn a published VQ-VAE of Latent Video Transformer into a model that recipes encode with."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.encoders.vqvae import Architecture, save_model
from reelpack.jobs import cli
from reelpack.lvt.published.vqvae_checkpoints import load_published


def main() -> None:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, help="folder of netE, netG, netC")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--model", required=True, type=Path, help="safetensors file to write")
    args = parser.parse_args()
    wanted = Architecture.from_mapping(json.loads(args.params)["architecture"])
    model = load_published(args.checkpoint)
    found = asdict(model.architecture)
    wrong = [
        f"{key} {found[key]}, the card says {value}"
        for key, value in asdict(wanted).items()
        # Without residual blocks their inner width is no part of the model.
        if found[key] != value and (key != "residual_channels" or found["layers"])
    ]
    if wrong:
        raise UserError(f"{args.checkpoint}: architecture: {'; '.join(wrong)}")
    with replace_file(args.model) as temporary:
        save_model(model, temporary)


if __name__ == "__main__":
    cli.run_job(main)
