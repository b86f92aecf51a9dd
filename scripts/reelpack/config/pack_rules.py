"""What planning knows of pack formats and encoders, without loading any of their code.

A recipe packs one kind of content: `tokens` (integers), `features` (floats) or, without an encoder,
`frames`. A format says here which kinds it takes and which keys of `pack` it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reelpack.config.encoder_cards import encoder_card
from reelpack.core.errors import UserError

Kind = Literal["tokens", "features", "frames"]
# Rules of `frames` that give every clip the same number of frames.
FIXED_COUNTS = ("favd", "uniform", "violet")
_ALL: frozenset[Kind] = frozenset({"tokens", "features", "frames"})
_PICTURES = ("image", "quality")


@dataclass(frozen=True)
class FormatRules:
    """What a recipe must keep to.

    Attributes:
        version: the format's own `version`, part of write_pack's result.
        takes: kinds of content.
        several: whether a pack may hold several crop sets.
        keys: what `pack` may say besides `format`.
        jpeg: whether it holds JPEG files as the frame shards keep them.
        audio: whether it takes sound.
        fixed: whether every clip must have the same number of frames.
        one_codebook: whether it holds one token per position.
    """

    version: int
    takes: frozenset[Kind]
    several: bool
    keys: frozenset[str] = frozenset()
    jpeg: bool = False
    audio: bool = False
    fixed: bool = False
    one_codebook: bool = False


FORMAT_RULES: dict[str, FormatRules] = {
    "vimpac_lmdb": FormatRules(1, frozenset({"tokens"}), True, one_codebook=True),
    "lvt_codes": FormatRules(
        1, frozenset({"tokens"}), False, frozenset({"dataset_name", "class_folders"})
    ),
    "png_folders": FormatRules(1, frozenset({"frames"}), False, frozenset({"first_number"})),
    "frame_folders": FormatRules(
        1, frozenset({"frames"}), False, frozenset({"first_number", *_PICTURES})
    ),
    "webdataset": FormatRules(
        1, _ALL, True, frozenset({"samples_per_shard", "shard_bytes", *_PICTURES})
    ),
    "parquet": FormatRules(1, _ALL, True, frozenset({"samples_per_shard", *_PICTURES})),
    "hdf5": FormatRules(1, _ALL, True, frozenset(_PICTURES)),
    "violet_frames": FormatRules(
        1,
        frozenset({"frames"}),
        False,
        frozenset({"dataset_name", "files", "text", "task"}),
        jpeg=True,
    ),
    "favd_tsv": FormatRules(
        1,
        frozenset({"frames"}),
        False,
        frozenset({"video_prefix"}),
        jpeg=True,
        audio=True,
        fixed=True,
    ),
    "favd_frames": FormatRules(1, frozenset({"frames"}), False, jpeg=True, fixed=True),
    "violet_vq": FormatRules(
        1, frozenset({"tokens"}), False, frozenset({"dataset_name"}), one_codebook=True
    ),
    "hero_npz": FormatRules(1, frozenset({"features"}), False, frozenset({"dtype"})),
}


def frame_count(frames: Mapping[str, Any]) -> int:
    """Return how many frames of every clip a recipe's `frames` gives, for a rule with a fixed count."""
    (count,) = (int(frames[rule]) for rule in FIXED_COUNTS if rule in frames)
    return min(count, int(frames.get("first", count)))


def kind_of(encoder: Mapping[str, Any] | None) -> Kind:
    """Return what a recipe with this `encoder` packs."""
    if encoder is None:
        return "frames"
    return "tokens" if encoder_card(encoder["name"]).width is None else "features"


def check_format(recipe: Mapping[str, Any], *, crop_sets: int, where: str) -> None:
    """Check a filled-in recipe's `pack` against what it packs.

    Args:
        recipe: the recipe.
        crop_sets: how many it has.
        where: the start of the error line.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    pack = recipe["pack"]
    name, kind = pack["format"], kind_of(recipe["encoder"])
    rules = FORMAT_RULES[name]
    if kind not in rules.takes:
        source = "without an encoder" if recipe["encoder"] is None else recipe["encoder"]["name"]
        fitting = ", ".join(sorted(n for n, other in FORMAT_RULES.items() if kind in other.takes))
        raise UserError(
            f"{where}: pack.format: {name} takes {' or '.join(sorted(rules.takes))}, and the recipe"
            f" gives {kind} ({source}); formats for {kind}: {fitting or 'none'}"
        )
    if recipe.get("audio") is not None and not rules.audio:
        fitting = ", ".join(sorted(n for n, other in FORMAT_RULES.items() if other.audio))
        raise UserError(f"{where}: audio: only with pack.format {fitting}; got {name}")
    last_step = recipe["crop"] or recipe["frames"]
    if rules.fixed and not any(rule in recipe["frames"] for rule in FIXED_COUNTS):
        raise UserError(
            f"{where}: frames: {name} holds the same number of frames of every clip; allowed with"
            f" it: {', '.join(FIXED_COUNTS)}"
        )
    if rules.jpeg and "jpeg" not in last_step:
        step = "crop" if recipe["crop"] else "frames"
        raise UserError(f"{where}: pack.format: {name} holds JPEG files: give {step}.jpeg")
    for key in sorted(set(pack) - {"format"} - rules.keys):
        readers = ", ".join(sorted(n for n, other in FORMAT_RULES.items() if key in other.keys))
        raise UserError(f"{where}: pack.{key}: only for {readers}; got {name}")
    if "samples_per_shard" in pack and "shard_bytes" in pack:
        raise UserError(
            f"{where}: pack: at most one of samples_per_shard and shard_bytes; got both"
        )
    if kind != "frames" and not set(_PICTURES).isdisjoint(pack):
        raise UserError(
            f"{where}: pack: {' and '.join(_PICTURES)} are only for recipes without an encoder"
        )
    if "quality" in pack and pack.get("image", "png") == "png":
        raise UserError(f"{where}: pack.quality: only for image jpeg and webp; png is lossless")
    if crop_sets > 1 and not rules.several:
        raise UserError(f"{where}: pack: {name} holds one crop set; got {crop_sets}")
