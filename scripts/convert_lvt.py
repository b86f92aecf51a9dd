"""Exchange models and configurations with the published code of Latent Video Transformer."""

import argparse
from pathlib import Path

import yaml

from reelpack.config.transformer_sizes import PRESETS, Sizes
from reelpack.config.transformer_training import TransformerSettings
from reelpack.core.files import replace_file
from reelpack.encoders import vqvae
from reelpack.jobs import cli
from reelpack.lvt.published import (
    training_configs,
    transformer_checkpoints,
    vqvae_checkpoints,
)
from reelpack.lvt.transformer import model_files


def main() -> None:
    """Parse the arguments and convert."""
    parser = cli.command_parser(
        "convert-lvt", __doc__, examples=["vqvae pretrained/PR-DVQVAE2 vqvae.safetensors"]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("vqvae", "netE, netG and netC to safetensors"),
        ("transformer", "netG/model_final.pth to safetensors"),
        ("export-vqvae", "safetensors to netE, netG and netC"),
        ("export-transformer", "safetensors to model_final.pth"),
        ("config", "a configuration to a card"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("source", type=Path)
        command.add_argument("target", type=Path)
        if name == "transformer":
            kinds = command.add_mutually_exclusive_group(required=True)
            kinds.add_argument("--preset", choices=sorted(PRESETS), help="published sizes")
            kinds.add_argument("--config", type=Path, help="the configuration it was trained with")
        if name == "config":
            command.add_argument("--dataset", help="of a VQ-VAE: what it learns from")
            command.add_argument("--split", default="train", help="its split (default: train)")
    args = parser.parse_args()
    match args.command:
        case "vqvae":
            vqvae.save_model(vqvae_checkpoints.load_published(args.source), args.target)
        case "transformer":
            sizes = _read_sizes(args.preset, args.config)
            model = transformer_checkpoints.load_published(args.source, sizes)
            model_files.save_model(model, args.target)
        case "export-vqvae":
            vqvae_checkpoints.save_published(vqvae.load_model(args.source), args.target)
        case "export-transformer":
            transformer_checkpoints.save_published(model_files.load_model(args.source), args.target)
        case "config":
            text = yaml.safe_dump(_make_card(args), sort_keys=False, default_flow_style=None)
            with replace_file(args.target) as temporary:
                temporary.write_text(text, encoding="utf-8")
    print(args.target)


def _read_sizes(preset: str | None, config: Path | None) -> Sizes:
    if config is None:
        return PRESETS[str(preset)]
    card = training_configs.make_transformer_card(training_configs.read_config(config))
    return TransformerSettings.from_card(card).architecture


def _make_card(args: argparse.Namespace) -> dict[str, object]:
    config = training_configs.read_config(args.source)
    if args.dataset is None:
        return training_configs.make_transformer_card(config)
    frames = {"every": True, "square": 64}
    return training_configs.make_vqvae_card(
        config, dataset=args.dataset, split=args.split, frames=frames
    )


if __name__ == "__main__":
    cli.run(main)
