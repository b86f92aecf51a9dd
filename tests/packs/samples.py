"""Small entries and contexts for the tests of packs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from reelpack.config.pack_rules import FORMAT_RULES, Kind
from reelpack.images.files import encode_picture
from reelpack.packs import Entry, FrameSequence, PackContext, Variant
from tests.support.clips import picture

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
    made = PackContext(**{**values, **changes})
    return replace(made, settings={"frames": {"uniform": 3}, **made.settings})


class DrawnFrames(FrameSequence):
    """Frames of a clip, drawn when asked for."""

    def __init__(self, count: int, first: int = 0, width: int = 16, height: int = 12) -> None:
        self._count, self._first, self._size = count, first, (width, height)

    @property
    def pts_seconds(self) -> list[float]:
        return [number / 4 for number in range(self._count)]

    @property
    def stored_bytes(self) -> int:
        return sum(len(self.png(number)) for number in range(self._count))

    def __len__(self) -> int:
        return self._count

    def png(self, number: int) -> bytes:
        return encode_picture(picture(self._first + number, *self._size), image="png")


def entry(clip_id: str, order: int = 0, *, label: int | None = 1, **options: Any) -> Entry:
    variants = options.get("variants", TWO)
    kind: Kind = options.get("kind", "tokens")
    frames = options.get("frames", 3)
    noise = np.random.default_rng([order, len(clip_id)])
    arrays: dict[str, Any] = {}
    for number, variant in enumerate(variants):
        if kind == "tokens":
            shape = options.get("shape", (frames, 4, 4))
            arrays[variant.name] = noise.integers(0, 512, shape, np.int64)
        elif kind == "features":
            values = noise.normal(size=(frames, 6))
            arrays[variant.name] = values.astype(options.get("dtype", np.float16))
        else:
            arrays[variant.name] = DrawnFrames(frames, 10 * order + number)
    texts = options.get("captions", ())
    return Entry(
        clip_id,
        order,
        label,
        caption=texts[0] if texts else None,
        arrays=arrays,
        label_name=options.get("label_name"),
        captions=tuple(texts),
    )


def entries(count: int, **options: Any) -> Iterator[Entry]:
    """Ids that do not come in sorted order, clips of one to five frames."""
    for order in range(count):
        label = None if order % 3 == 0 else order
        lengths = {"frames": 1 + order % 5} if options.get("kind", "tokens") != "tokens" else {}
        clip_id = f"class {order % 2}/clip_{count - order}"
        yield entry(clip_id, order, label=label, **{**lengths, **options})


def cases() -> list[tuple[str, Kind]]:
    """Every pack format with every kind of content that it takes."""
    return [
        (name, kind) for name, rules in sorted(FORMAT_RULES.items()) for kind in sorted(rules.takes)
    ]


def failure(clip_id: str, order: int, message: str = "no moov box") -> dict[str, Any]:
    return {
        "clip_id": clip_id,
        "order": order,
        "stage": "encode_shard",
        "class": "corrupt",
        "message": message,
    }
