"""Models that turn pictures into tokens or features, one file each behind one small interface."""

from .base import Encoder, encode_frames, load_encoder, set_deterministic

__all__ = ["Encoder", "encode_frames", "load_encoder", "set_deterministic"]
