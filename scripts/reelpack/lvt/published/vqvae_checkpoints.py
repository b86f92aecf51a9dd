"""The VQ-VAEs' checkpoints of github rakhimovv/lvt: three files each, read and written.

`netE/model_final.pth`, `netG/model_final.pth` and `netC/model_final.pth` hold encoder, generator and
codebook, each a mapping with the parameters under `model`. A model of one codebook has its tables
without the number `ve.0` before them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from reelpack.config.lvt_files import FILE, FOLDERS
from reelpack.core.errors import UserError
from reelpack.core.files import replace_file
from reelpack.encoders.vqvae import VQVAE, Architecture
from reelpack.lvt.published.pth_files import read_checkpoint

_FIRST_CODEBOOK = "ve.0."
_BLOCK = re.compile(r"layers\.(\d+)\.block\.1\.weight")


def load_published(folder: Path) -> VQVAE:
    """Read a VQ-VAE from the folder that holds `netE`, `netG` and `netC`.

    Returns:
        The model in evaluation mode; its sizes are those of the tensors.

    Raises:
        UserError: a file is missing, or they do not make one model.
    """
    parts = {part: read_checkpoint(folder / net / FILE) for net, part in FOLDERS.items()}
    codebook = parts["codebook"]
    if all(not name.startswith("ve.") for name in codebook):
        parts["codebook"] = {_FIRST_CODEBOOK + name: t for name, t in codebook.items()}
    tensors = {f"{part}.{name}": t for part, group in parts.items() for name, t in group.items()}
    try:
        model = VQVAE(_read_architecture(parts))
        model.load_state_dict(tensors)
    except (KeyError, IndexError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{folder}: its files are not a VQ-VAE of this kind: {reason}") from error
    return model.eval()


def check_architecture(model: VQVAE, wanted: Architecture, *, where: Path) -> None:
    """Raise UserError unless a model's sizes are those that a card says."""
    found = asdict(model.architecture)
    wrong = [
        f"{key} {found[key]}, the card says {value}"
        for key, value in asdict(wanted).items()
        # Without residual blocks their inner width is not a part of the model.
        if found[key] != value and (key != "residual_channels" or found["layers"])
    ]
    if wrong:
        raise UserError(f"{where}: architecture: {'; '.join(wrong)}")


def save_published(model: VQVAE, folder: Path) -> None:
    """Write a model as the three files, in the form that the published code loads."""
    for net, part in FOLDERS.items():
        tensors = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in model.get_submodule(part).state_dict().items()
        }
        if part == "codebook" and model.architecture.codebooks == 1:
            tensors = {name.removeprefix(_FIRST_CODEBOOK): t for name, t in tensors.items()}
        with replace_file(folder / net / FILE) as temporary:
            torch.save({"model": tensors}, temporary)


def _read_architecture(parts: Mapping[str, Mapping[str, Tensor]]) -> Architecture:
    """Read the sizes off the tensors; a file of another model lacks some of the names."""
    encoder = parts["encoder"]
    blocks = [name for name in encoder if _BLOCK.fullmatch(name)]
    tables = [t for name, t in parts["codebook"].items() if name.endswith("embedding.weight")]
    if not tables:
        raise KeyError("no codebook")
    # Without residual blocks their inner width is not a part of the model.
    return Architecture(
        filters=encoder["layers.4.weight"].shape[0],
        residual_channels=encoder[blocks[0]].shape[0] if blocks else 1,
        layers=len(blocks),
        codebooks=len(tables),
        codes=tables[0].shape[0],
    )
