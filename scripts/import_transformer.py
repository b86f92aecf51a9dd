"""Turn a published video transformer of Latent Video Transformer into a model to generate with."""

import argparse
import json
from pathlib import Path

from reelpack.config.transformer_sizes import Sizes
from reelpack.core.files import replace_file
from reelpack.jobs import cli
from reelpack.lvt.transformer.model_files import load_published, save_model


def main() -> None:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, help="netG/model_final.pth")
    parser.add_argument("--params", required=True, metavar="JSON", help="the stage's result string")
    parser.add_argument("--model", required=True, type=Path, help="safetensors file to write")
    args = parser.parse_args()
    sizes = Sizes.from_mapping(json.loads(args.params)["architecture"])
    model = load_published(args.checkpoint, sizes)
    with replace_file(args.model) as temporary:
        save_model(model, temporary)


if __name__ == "__main__":
    cli.run_job(main)
