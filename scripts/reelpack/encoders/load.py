"""An encoder by a recipe's `encoder:` mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelpack.config.encoder_cards import encoder_card
from reelpack.encoders.interface import Encoder
from reelpack.jobs.device import check_device


def load_encoder(spec: Mapping[str, Any], weights: Path, *, device: str) -> Encoder:
    """Load an encoder by a recipe's `encoder:` mapping.

    Args:
        spec: its key `name` chooses the encoder, `precision` how an encoder of features computes;
            the other keys say where weights come from and are resolved by the caller.
        weights: safetensors file that `weights.convert` or the training wrote.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        UserError: unknown encoder or device, or a file that does not hold this encoder's weights.
    """
    check_device(device)
    name = spec.get("name")
    card = encoder_card(name)
    if card.width is not None:
        from reelpack.encoders.feature_encoder import load_feature_encoder

        return load_feature_encoder(spec, weights, device=device)
    if name == "dalle":
        from reelpack.encoders.dalle import DalleEncoder

        return DalleEncoder(weights, device=device)
    from reelpack.encoders.vqvae import VQVAEEncoder

    return VQVAEEncoder(weights, device=device)
