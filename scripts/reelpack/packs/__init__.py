"""Pack formats by name, and the way a pack is published."""

from __future__ import annotations

from reelpack.images.files import FrameSequence, Pictures
from reelpack.packs.base import PackFormat
from reelpack.packs.entries import (
    AUDIO,
    Entry,
    PackContext,
    PackDamage,
    PackEntry,
    StoredEntry,
    Variant,
)
from reelpack.packs.publish import publish
from reelpack.packs.registry import get_format

__all__ = [
    "AUDIO",
    "Entry",
    "FrameSequence",
    "PackContext",
    "PackDamage",
    "PackEntry",
    "PackFormat",
    "Pictures",
    "StoredEntry",
    "Variant",
    "get_format",
    "publish",
]
