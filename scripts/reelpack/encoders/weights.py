"""Weights of published models: conversion, once, of files that `sources.weights` brought.

Only a file that still has the checksum kept beside it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from reelpack.config.encoder_cards import CARDS
from reelpack.core.checksums import checksum_file, read_checksum
from reelpack.core.errors import UserError
from reelpack.core.files import clear_leftovers, replace_file, sha256_file

if TYPE_CHECKING:
    import torch

DALLE_KIND = "dalle_encoder"
# Encoders of features read weights of their own name.
FEATURE_KINDS = tuple(name for name, card in CARDS.items() if card.width is not None)
KINDS = (DALLE_KIND, *FEATURE_KINDS)


def convert(source: Path, destination: Path, *, kind: str) -> None:
    """Turn a fetched file, once, into safetensors that nothing needs to be trusted to open.

    Args:
        source: a file that `fetch_weights` brought; the checksum beside it is checked first.
        destination: safetensors file; tensors are float32 under the names of the encoder's model.
        kind: what the file is, one of `KINDS`.

    Raises:
        UserError: unknown kind, changed or unchecked file, or a file that is not of this kind.
    """
    if kind not in KINDS:
        raise UserError(f"weights of kind {kind!r} are unknown; allowed: {', '.join(KINDS)}")
    expected = read_checksum(source)
    if not expected:
        raise UserError(f"{source}: no {checksum_file(source).name} beside it: fetch it first")
    if (found := sha256_file(source)) != expected:
        raise UserError(f"{source}: sha256 is {found}, expected {expected}: fetch it again")
    from safetensors.torch import save_file

    tensors = _read_features(source, kind) if kind in CARDS else _read_dalle(source)
    contiguous = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    clear_leftovers(destination)
    with replace_file(destination) as temporary:
        save_file(contiguous, temporary)


def _read_dalle(source: Path) -> Mapping[str, torch.Tensor]:
    from reelpack.encoders import dalle
    from reelpack.encoders.pickles import read_module

    tensors = read_module(source, classes=dalle.PICKLED_CLASSES)
    dalle.read_sizes(tensors, where=source)
    return tensors


def _read_features(source: Path, kind: str) -> Mapping[str, torch.Tensor]:
    from reelpack.encoders.feature_encoder import bare_network, check_tensors, without_counts

    module = import_module(f"reelpack.encoders.{CARDS[kind].module}")
    tensors = without_counts(module.read(source, name=kind))
    check_tensors(bare_network(kind), tensors, name=kind, where=source)
    return tensors
