"""Small entries and contexts for the tests of packs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from reelpack.packs import Entry, PackContext, Variant

ONE = (Variant("center64", shorter_side=64, size=64),)
TWO = (
    Variant("128top", shorter_side=128, size=128, position="top"),
    Variant("160center_hflip", shorter_side=160, size=128, hflip=True),
)


def context(variants: tuple[Variant, ...] = TWO, **changes: Any) -> PackContext:
    values: dict[str, Any] = {
        "dataset": "toy",
        "split": "train",
        "recipe": "small",
        "fps": "2",
        "variants": variants,
        "settings": {"encoder": {"name": "dalle"}, "scaler": "bicubic"},
    }
    return PackContext(**{**values, **changes})


def entry(clip_id: str, order: int = 0, *, label: int | None = 1, **options: Any) -> Entry:
    variants = options.get("variants", TWO)
    shape = options.get("shape", (3, 4, 4))
    noise = np.random.default_rng([order, len(clip_id)])
    arrays = {variant.name: noise.integers(0, 512, shape, np.int64) for variant in variants}
    return Entry(clip_id=clip_id, order=order, label=label, caption=None, arrays=arrays)


def entries(count: int, **options: Any) -> Iterator[Entry]:
    """Ids that do not come in sorted order."""
    for order in range(count):
        label = None if order % 3 == 0 else order
        yield entry(f"class {order % 2}/clip_{count - order}", order, label=label, **options)


def failure(clip_id: str, order: int, message: str = "no moov box") -> dict[str, Any]:
    return {
        "clip_id": clip_id,
        "order": order,
        "stage": "encode_shard",
        "class": "corrupt",
        "message": message,
    }
