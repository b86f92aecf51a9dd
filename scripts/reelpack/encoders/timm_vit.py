"""Vision transformers by timm: a card and a line in `TIMM_MODELS` add one.

M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023, arXiv
2304.07193: the class token after the last norm. M. Tschannen et al., "SigLIP 2: Multilingual
Vision-Language Encoders", 2025, arXiv 2502.14786: the attention-pooled token. The files are the
safetensors of timm's collection; tensors carry timm's names.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from reelpack.config.encoder_cards import encoder_card
from reelpack.core.errors import UserError
from reelpack.encoders.torchvision_compat import import_timm

timm = import_timm()

TIMM_MODELS: dict[str, dict[str, str]] = {
    "dinov2_vitb14": {"model_name": "vit_base_patch14_dinov2"},
    # SigLIP was trained with the tanh approximation of GELU; timm's model of this size takes the
    # exact one unless told, which moves features by some 2e-4.
    "siglip2_b16": {"model_name": "vit_base_patch16_siglip_224", "act_layer": "gelu_tanh"},
}


def network(name: str) -> nn.Module:
    """Return the network from float[B, 3, S, S] to float[B, width], S the card's side."""
    model: nn.Module = timm.create_model(
        **TIMM_MODELS[name], pretrained=False, num_classes=0, img_size=encoder_card(name).side
    )
    return model


def read(path: Path, *, name: str) -> dict[str, Tensor]:
    """Read a safetensors file of timm's collection.

    Position embeddings of another frame size are resampled to the card's, once and here, as timm
    does it (bicubic with antialiasing): DINOv2's are published for frames of 518.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from error
    return _resample(tensors, name)


def _resample(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    positions, patches = tensors.get("pos_embed"), tensors.get("patch_embed.proj.weight")
    if positions is None or patches is None or positions.ndim != 3 or patches.ndim != 4:
        return tensors
    side = encoder_card(name).side or 0
    grid = side // patches.shape[2]
    classes = 1 if "cls_token" in tensors else 0
    if positions.shape[1] == grid * grid + classes:
        return tensors
    resampled = timm.layers.resample_abs_pos_embed(
        positions, [grid, grid], num_prefix_tokens=classes
    )
    return {**tensors, "pos_embed": resampled}
