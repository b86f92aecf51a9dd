"""Continue the frames of one video."""

from __future__ import annotations

import torch

from reelpack.core.arrays import Frame
from reelpack.lvt.codec import Codec, Codes, encode_video
from reelpack.lvt.transformer.code_sampling import DrawSettings, draw_videos
from reelpack.lvt.transformer.model import VideoTransformer


def continue_frames(
    frames: Frame, codec: Codec, model: VideoTransformer, settings: DrawSettings
) -> list[Codes]:
    """Draw continuations of one video.

    Args:
        frames: the given frames, uint8[n, H, W, 3].
        codec: the VQ-VAE whose codes the model has learned.
        model: the transformer, on the device it computes on.
        settings: what is drawn; its `samples` must be given.

    Returns:
        The codes of each sample, int64[length, codebooks, h, w]; the first n are the given frames'.

    Raises:
        ClipError: the frames' sides do not suit the codec.
        UserError: the codes do not suit the model.
    """
    assert settings.samples is not None
    given = torch.from_numpy(encode_video(codec, frames)).to(next(model.parameters()).device)
    prime = given.transpose(0, 1).expand(len(settings.samples), -1, -1, -1, -1)
    return list(draw_videos(model, prime, settings).transpose(1, 2).cpu().numpy())
