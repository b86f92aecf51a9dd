"""What is known of every encoder before its model is opened; needs no torch.

A card and one small file in `encoders/` make an encoder. The file is named by `module` and offers
`network(name)`, the bare model, and `read(path, name=...)`, its published weights by the model's own
names; `feature_encoder.FeatureEncoder` does the rest. Encoders of tokens bring their own class instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from reelpack.core.errors import UserError

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """What an encoder takes and gives.

    Attributes:
        module: file in `encoders/` that defines it.
        result_version: raised by hand when its results for equal frames change.
        width: numbers per row (d), or None for an encoder of tokens.
        window: frames that make one row: 1 for models of single frames.
        side: side in pixels of the square frames that it takes, or None for any size.
        stride: sides are multiples of this.
        divisor: what pixels of 0..255 are divided by, before mean and std.
        mean: per RGB channel, taken off after the division.
        std: per RGB channel, divided by after that.
        std_epsilon: added to std before the division.
        unit_length: rows are divided by their L2 norm.
        cpu_batch: rows per call on a CPU.
        gpu_batch: rows per call on a GPU.
    """

    module: str
    result_version: int = 1
    width: int | None = None
    window: int = 1
    side: int | None = None
    stride: int = 1
    divisor: float = 255.0
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    std_epsilon: float = 0.0
    unit_length: bool = False
    cpu_batch: int = 1
    gpu_batch: int = 64


# HERO's extractor adds 1e-8 to every std; in float32 that moves ImageNet's by one unit in the last
# place, so leaving it out would change published features.
CARDS: dict[str, EncoderCard] = {
    "dalle": EncoderCard(module="dalle", stride=8, cpu_batch=1, gpu_batch=16),
    "vqvae": EncoderCard(module="vqvae", stride=4, cpu_batch=4, gpu_batch=64),
    "resnet152": EncoderCard(
        module="resnet152",
        width=2048,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        std_epsilon=1e-8,
        unit_length=True,
        cpu_batch=4,
    ),
    "resnext101_3d": EncoderCard(
        module="resnext101_3d",
        width=2048,
        window=16,
        side=112,
        divisor=1.0,
        mean=(110.6, 103.2, 96.3),
        std_epsilon=1e-8,
        unit_length=True,
        gpu_batch=32,
    ),
    "slowfast_r50": EncoderCard(
        module="slowfast_r50",
        width=2304,
        window=32,
        side=224,
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
        std_epsilon=1e-8,
        gpu_batch=16,
    ),
    "s3d": EncoderCard(module="s3d", width=1024, window=32, side=224, gpu_batch=16),
    "clip_vitb32": EncoderCard(
        module="openai_clip",
        width=512,
        side=224,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        std_epsilon=1e-8,
        cpu_batch=8,
        gpu_batch=128,
    ),
    "clip_rn50x4": EncoderCard(
        module="openai_clip",
        width=640,
        side=288,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        std_epsilon=1e-8,
        cpu_batch=4,
    ),
    "dinov2_vitb14": EncoderCard(
        module="timm_vit",
        width=768,
        side=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        cpu_batch=4,
    ),
    "siglip2_b16": EncoderCard(
        module="timm_vit",
        width=768,
        side=224,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        cpu_batch=4,
    ),
}


def encoder_card(name: object) -> EncoderCard:
    """Return the card of the encoder `name`.

    Raises:
        UserError: there is none; names those that are allowed.
    """
    card = CARDS.get(name) if isinstance(name, str) else None
    if card is None:
        raise UserError(f"encoder.name: {name!r} is unknown; allowed: {', '.join(CARDS)}")
    return card
