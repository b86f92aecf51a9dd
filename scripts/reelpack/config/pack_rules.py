"""What planning knows of pack formats, without loading any of their code.

A recipe packs one kind of content: `tokens` (integers), `features` (floats) or, without an encoder,
`frames`. `FORMAT_RULES` has one row per format, which says the kinds it takes and the keys of `pack` it
reads; the schema of recipes is made from it. The code of a format is `packs/{name}.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reelpack.config.encoder_cards import encoder_card
from reelpack.core.errors import UserError

Kind = Literal["tokens", "features", "frames"]
# Rules of `frames` that give every clip the same number of frames.
FIXED_COUNTS = ("favd", "uniform", "violet")
_ALL: frozenset[Kind] = frozenset({"tokens", "features", "frames"})
_TOKENS: frozenset[Kind] = frozenset({"tokens"})
_FEATURES: frozenset[Kind] = frozenset({"features"})
_FRAMES: frozenset[Kind] = frozenset({"frames"})


@dataclass(frozen=True)
class PackKey:
    """A key of a recipe's `pack`, as one format reads it.

    Attributes:
        values: the JSON Schema of its values, the same in all formats that read the key.
        meaning: what it does, for people.
        default: what holds where a recipe does not say it; None where `meaning` says that.
    """

    values: Mapping[str, Any]
    meaning: str
    default: Any = None

    @property
    def description(self) -> str:
        """What it does and what is usual."""
        if self.default is None or isinstance(self.default, bool | tuple):
            return self.meaning
        return f"{self.meaning} (default {self.default})"


@dataclass(frozen=True)
class FormatRules:
    """What a recipe must keep to.

    Attributes:
        version: part of write_pack's result; raised by hand when the format's bytes change.
        description: what the pack is, for people.
        takes: kinds of content.
        several: whether a pack may hold several crop sets.
        keys: what `pack` may say besides `format`.
        jpeg: whether it holds JPEG files as the frame shards keep them.
        audio: whether it takes sound.
        fixed: whether every clip must have the same number of frames.
        one_codebook: whether it holds one token per position.
    """

    version: int
    description: str
    takes: frozenset[Kind]
    several: bool = False
    keys: Mapping[str, PackKey] = field(default_factory=dict)
    jpeg: bool = False
    audio: bool = False
    fixed: bool = False
    one_codebook: bool = False


_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"}
_FIRST_NUMBER = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}
_CLIPS = {"type": "integer", "minimum": 1, "maximum": 10_000_000}
_IMAGES = {
    "image": PackKey(
        {"enum": ["png", "jpeg", "webp"]}, "kind of image file of frames; png is lossless", "png"
    ),
    "quality": PackKey(
        {"type": "integer", "minimum": 1, "maximum": 100},
        "with image jpeg or webp, quality as Pillow takes it",
        90,
    ),
}
_VIOLET_NAME = PackKey(_NAME, "the name in file names instead of the dataset's")

FORMAT_RULES: dict[str, FormatRules] = {
    "vimpac_lmdb": FormatRules(
        1, "one LMDB folder per crop set", _TOKENS, several=True, one_codebook=True
    ),
    "lvt_codes": FormatRules(
        1,
        "one .npy file of codes per frame",
        _TOKENS,
        keys={
            "dataset_name": PackKey(_NAME, "the folder's name instead of {dataset}_{split}_seq"),
            "class_folders": PackKey(
                {"type": "boolean"},
                "put each video below its class folder, as the Kinetics reader wants",
                False,
            ),
        },
    ),
    "png_folders": FormatRules(
        1,
        "the Latent Video Transformer's frames, one folder of PNG files per clip",
        _FRAMES,
        keys={"first_number": PackKey(_FIRST_NUMBER, "the first frame's number", 1)},
    ),
    "frame_folders": FormatRules(
        1,
        "one folder of image files per clip, by its id",
        _FRAMES,
        keys={"first_number": PackKey(_FIRST_NUMBER, "the first frame's number", 0), **_IMAGES},
    ),
    "webdataset": FormatRules(
        1,
        "tar shards",
        _ALL,
        several=True,
        keys={
            "samples_per_shard": PackKey(_CLIPS, "clips per tar", 1000),
            "shard_bytes": PackKey(
                {"type": "integer", "minimum": 1},
                "instead of samples_per_shard, a tar ends behind the clip that fills it",
            ),
            **_IMAGES,
        },
    ),
    "parquet": FormatRules(
        1,
        "a folder that Hugging Face datasets loads",
        _ALL,
        several=True,
        keys={"samples_per_shard": PackKey(_CLIPS, "clips per file", 10_000), **_IMAGES},
    ),
    "hdf5": FormatRules(1, "one file", _ALL, several=True, keys=_IMAGES),
    "violet_frames": FormatRules(
        1,
        "VIOLET's JPEG frames and texts",
        _FRAMES,
        keys={
            "dataset_name": _VIOLET_NAME,
            "files": PackKey(
                {
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"enum": ["pkl", "tsv"]},
                },
                "img_{name}.pkl for downstream tasks, or TSV files for pre-training; both unless said",
                ("pkl", "tsv"),
            ),
            "text": PackKey(
                {"enum": ["none", "pretrain", "retrieval"]},
                "also write txt_{name}.json with the texts of each video, or txt_{task}.json with pairs",
                "none",
            ),
            "task": PackKey(_NAME, "the task in the name of the texts instead of {name}-retrieval"),
        },
        jpeg=True,
    ),
    "violet_vq": FormatRules(
        1, "VIOLET's tokens", _TOKENS, keys={"dataset_name": _VIOLET_NAME}, one_codebook=True
    ),
    "favd_tsv": FormatRules(
        1,
        "FAVDBench's frames, sound and texts",
        _FRAMES,
        keys={
            "video_prefix": PackKey(
                {"type": "string", "pattern": r"^[^\t\n\r]*$"},
                "what stands before a video's name in its key",
                "datasets/videos/",
            )
        },
        jpeg=True,
        audio=True,
        fixed=True,
    ),
    "favd_frames": FormatRules(1, "FAVDBench's frame folders", _FRAMES, jpeg=True, fixed=True),
    "hero_npz": FormatRules(
        1,
        "one .npz file of features per video",
        _FEATURES,
        keys={
            "dtype": PackKey({"enum": ["float16", "float32"]}, "how features are stored", "float16")
        },
    ),
}


def make_pack_schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe's `pack`: every format, and every key that one of them reads."""
    about = (f"{name}: {rules.description}." for name, rules in FORMAT_RULES.items())
    formats = {"enum": list(FORMAT_RULES), "description": " ".join(about)}
    keys = {key: None for rules in FORMAT_RULES.values() for key in rules.keys}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["format"],
        "description": "The file set a trainer opens.",
        "properties": {"format": formats, **{key: _make_key_schema(key) for key in keys}},
    }


def _make_key_schema(key: str) -> dict[str, Any]:
    readers: dict[str, list[str]] = {}
    for name, rules in FORMAT_RULES.items():
        if key in rules.keys:
            values = rules.keys[key].values
            readers.setdefault(rules.keys[key].description, []).append(name)
    texts = (f"{', '.join(names)}: {text}." for text, names in readers.items())
    return {**values, "description": " ".join(texts)}


def count_frames(frames: Mapping[str, Any]) -> int:
    """Return how many frames of every clip a recipe's `frames` gives, for a rule with a fixed count."""
    (count,) = (int(frames[rule]) for rule in FIXED_COUNTS if rule in frames)
    return min(count, int(frames.get("first", count)))


def find_image(pack: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `image`, and `quality` where it counts, of the files that a pack makes of frames.

    None for formats that hold the JPEG files that a recipe's frames are.
    """
    rules = FORMAT_RULES[pack["format"]]
    if rules.jpeg:
        return None
    keys = ("image", "quality") if pack.get("image", "png") != "png" else ("image",)
    return {key: pack.get(key, _IMAGES[key].default) for key in keys}


def get_kind(encoder: Mapping[str, Any] | None) -> Kind:
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
    _check_content(recipe, crop_sets=crop_sets, where=where)
    _check_keys(recipe, where=where)


def _check_content(recipe: Mapping[str, Any], *, crop_sets: int, where: str) -> None:
    name, kind = recipe["pack"]["format"], get_kind(recipe["encoder"])
    rules = FORMAT_RULES[name]
    if kind not in rules.takes:
        source = "without an encoder" if recipe["encoder"] is None else recipe["encoder"]["name"]
        fitting = _list_formats(lambda other: kind in other.takes)
        raise UserError(
            f"{where}: pack.format: {name} takes {' or '.join(sorted(rules.takes))}, and the recipe"
            f" gives {kind} ({source}); formats for {kind}: {fitting or 'none'}"
        )
    if recipe.get("audio") is not None and not rules.audio:
        fitting = _list_formats(lambda other: other.audio)
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
    if crop_sets > 1 and not rules.several:
        raise UserError(f"{where}: pack: {name} holds one crop set; got {crop_sets}")


def _check_keys(recipe: Mapping[str, Any], *, where: str) -> None:
    pack = recipe["pack"]
    foreign = pack.keys() - FORMAT_RULES[pack["format"]].keys.keys() - {"format"}
    if foreign:
        key = min(foreign)
        readers = _list_formats(lambda other: key in other.keys)
        raise UserError(f"{where}: pack.{key}: only for {readers}; got {pack['format']}")
    if "samples_per_shard" in pack and "shard_bytes" in pack:
        raise UserError(
            f"{where}: pack: at most one of samples_per_shard and shard_bytes; got both"
        )
    if recipe["encoder"] is not None and not _IMAGES.keys().isdisjoint(pack):
        raise UserError(
            f"{where}: pack: {' and '.join(_IMAGES)} are only for recipes without an encoder"
        )
    if "quality" in pack and pack.get("image", "png") == "png":
        raise UserError(f"{where}: pack.quality: only for image jpeg and webp; png is lossless")


def _list_formats(fits: Callable[[FormatRules], bool]) -> str:
    return ", ".join(sorted(name for name, rules in FORMAT_RULES.items() if fits(rules)))
