"""Models that turn frames into tokens or features, one file each behind one small interface."""

from reelpack.encoders.interface import Encoder
from reelpack.encoders.load import load_encoder
from reelpack.jobs.device import set_deterministic

__all__ = ["Encoder", "load_encoder", "set_deterministic"]
