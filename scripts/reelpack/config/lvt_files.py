"""Where the published code (github rakhimovv/lvt) keeps its checkpoints; planning needs no more of them."""

from __future__ import annotations

from pathlib import Path

FILE = "model_final.pth"
# Folder of each part of a VQ-VAE, by the part's name here.
FOLDERS = {"netE": "encoder", "netG": "generator", "netC": "codebook"}


def vqvae_files(folder: Path) -> list[Path]:
    """Return the files that make a VQ-VAE's checkpoint."""
    return [folder / net / FILE for net in FOLDERS]
