"""What the result of each stage depends on: mappings whose canonical JSON are the result strings.

Flows in: the checked config. Flows out: just the slice of recipes, cards and checksums that counts for
a stage, with what the stages before it depend on. Those of lists, downloads and trims are in `datasets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelpack.config.encoder_cards import CARDS
from reelpack.config.pack_rules import FORMAT_RULES, find_image
from reelpack.config.recipes import Product, products
from reelpack.config.settings import CardKind, Settings
from reelpack.config.stages import describe_result
from reelpack.config.training import USUAL, decisive, without_usual
from reelpack.core.state import file_state

# What says how a recipe is made, not what comes out.
NOT_IN_RESULTS = frozenset({"description", "mode", "group"})


def describe_frames(product: Product) -> dict[str, Any]:
    """Return extract_frames' result for one sampling and scale."""
    return describe_result("extract_frames", {"frames": product.frames})


def describe_crop(product: Product) -> dict[str, Any]:
    """Return crop_frames' result; it holds that of the frames it cuts."""
    settings = {"crop": product.crop, "frames": describe_frames(product)}
    return describe_result("crop_frames", settings)


def describe_images(settings: Settings, name: str) -> dict[str, Any]:
    """Return encode_images' result: the pixels, and the kind of image file that the pack holds."""
    recipe = settings.recipe(name)
    pixels = [_describe_pixels(product) for product in products(recipe)]
    image = find_image(recipe["pack"])
    return describe_result("encode_images", {"pixels": pixels, "image": image})


def describe_audio(audio: Mapping[str, Any]) -> dict[str, Any]:
    """Return extract_audio's result for a recipe's `audio`."""
    return describe_result("extract_audio", {"audio": audio})


def describe_model(settings: Settings, name: str) -> dict[str, Any]:
    """Return train_vqvae's result, or what is known of an imported model before it is read."""
    model = settings.model(name)
    if model["checkpoint"]:
        return describe_result("import_vqvae", {"architecture": model["architecture"]})
    card = {k: v for k, v in model.items() if k not in ("description", "checkpoint")}
    card["training"] = decisive(card["training"])
    pixels = describe_crop(products(model)[0])
    return describe_result("train_vqvae", {"model": card, "pixels": pixels})


def describe_training(settings: Settings, name: str) -> dict[str, Any]:
    """Return train_vqvae's result with the shards that the model learns from."""
    return {**describe_model(settings, name), "shards": settings.model_shards(name)}


def describe_import(settings: Settings, kind: CardKind, name: str) -> dict[str, Any]:
    """Return the result of import_vqvae or import_transformer, with the state of the published files."""
    stage = "import_vqvae" if kind == "model" else "import_transformer"
    files = [[path, *file_state(path)] for path in settings.checkpoint_files(kind, name)]
    architecture = settings.card(kind, name)["architecture"]
    return describe_result(stage, {"architecture": architecture, "files": files})


def describe_transformer(settings: Settings, name: str) -> dict[str, Any]:
    """Return train_transformer's result; what the codes are stands in the packs' checksums."""
    card = settings.transformer(name)
    packs = {key: card[key] for key in ("dataset", "split", "recipe", "held_out")}
    training = without_usual(card["training"], USUAL)
    model = {"architecture": card["architecture"], "training": training}
    return describe_result("train_transformer", {"model": model, **packs})


def describe_samples(settings: Settings, name: str) -> dict[str, Any]:
    """Return generate_videos' result, beside its models and the pack."""
    card = settings.transformer(name)
    samples = {key: value for key, value in card["samples"].items() if key != "split"}
    return describe_result("generate_videos", {"samples": samples, "recipe": card["recipe"]})


def describe_weights(settings: Settings, name: str) -> dict[str, str]:
    """Return what identifies a weights file: name and checksum (address where none is published)."""
    entry = settings.registry[name]
    return {
        "name": name,
        "sha256": entry.sha256 or "",
        "url": "" if entry.sha256 else entry.url,
    }


def describe_encoding(settings: Settings, name: str) -> dict[str, Any]:
    """Return encode_shard's result; the mode is not part of it: both modes give the same."""
    recipe = settings.recipe(name)
    encoder = recipe["encoder"]
    source: Any = (
        describe_weights(settings, encoder["weights"])
        if "weights" in encoder
        else describe_model(settings, encoder["model"])
    )
    return describe_result(
        "encode_shard",
        {
            "encoder": {**encoder, "version": CARDS[encoder["name"]].result_version},
            "weights": source,
            "pixels": [describe_crop(product) for product in products(recipe)],
        },
    )


def describe_group(settings: Settings, dataset: str, group: str) -> dict[str, Any]:
    """Return encode_group's result: those of its recipes' encode_shard."""
    members = settings.group_members(dataset, group)
    encoded = {name: describe_encoding(settings, name) for name in members}
    return describe_result("encode_group", {"members": encoded})


def describe_pack(settings: Settings, dataset: str, split: str, name: str) -> dict[str, Any]:
    """Return write_pack's result."""
    recipe = settings.recipe(name)
    made_from: dict[str, Any] = (
        {"pixels": [_describe_pixels(product) for product in products(recipe)]}
        if recipe["encoder"] is None
        else {"encoded": describe_encoding(settings, name)}
    )
    if recipe["audio"] is not None:
        made_from["audio"] = describe_audio(recipe["audio"])
    return describe_result(
        "write_pack",
        {
            "dataset": dataset,
            "split": split,
            "recipe": name,
            "card": {key: value for key, value in recipe.items() if key not in NOT_IN_RESULTS},
            "format_version": FORMAT_RULES[recipe["pack"]["format"]].version,
            **made_from,
            "shards": len(settings.shards(dataset, split)),
            "max_failed": settings.max_failed,
        },
    )


def _describe_pixels(product: Product) -> dict[str, Any]:
    """Return the result of the stage that staged pixels come from."""
    return describe_frames(product) if product.crop is None else describe_crop(product)


def describe_measures(settings: Settings, dataset: str, split: str, name: str) -> dict[str, Any]:
    """Return measure_codes' result; the mode is not part of it, nor of encode_shard's."""
    shards = len(settings.shards(dataset, split))
    encoded = describe_encoding(settings, name)
    return describe_result("measure_codes", {"encoded": encoded, "shards": shards})
