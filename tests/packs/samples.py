"""Small entries, contexts and packs for the tests of packs."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reelpack.config.pack_rules import FORMAT_RULES, Kind
from reelpack.images.files import encode_picture
from reelpack.packs import Entry, FrameSequence, PackContext, Variant, get_format, publish
from reelpack.packs.publish import Missing
from reelpack.packs.verify import verify_pack
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


def put(
    folder: Path, name: str, items: Iterable[Entry], about: PackContext, **missing: Any
) -> dict[str, int]:
    """Publish a pack and return its counts."""
    notes = {"recipe": about.recipe}
    lacking = Missing(**missing)
    return publish(folder, get_format(name), items, about, provenance=notes, missing=lacking)


def put_whole(folder: Path, name: str, items: Iterable[Entry], about: PackContext) -> Path:
    """Publish a pack and verify it."""
    put(folder, name, items, about)
    assert verify_pack(folder).differences == ()
    return folder


def read_failures(pack: Path) -> list[dict[str, str]]:
    with (pack / "failures.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def refresh(pack: Path) -> None:
    """Make the checksums right again, so that only rereading can find a fault."""
    lines = []
    for line in (pack / "checksums.sha256").read_text().splitlines():
        name = line[66:]
        if (pack / name).exists():
            lines.append(f"{hashlib.sha256((pack / name).read_bytes()).hexdigest()}  {name}\n")
    (pack / "checksums.sha256").write_text("".join(lines))


def assert_change_is_found(pack: Path, name: str, old: bytes, new: bytes) -> None:
    """Change a file behind a right checksum: only rereading can tell."""
    data = (pack / name).read_bytes()
    assert old in data
    (pack / name).write_bytes(data.replace(old, new, 1))
    refresh(pack)
    assert verify_pack(pack).differences
