"""reelpack: from video datasets to training-ready packs."""

__version__ = "0.1.0"
