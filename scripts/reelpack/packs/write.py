"""write_pack: from the codes shards, or frame shards, of a split to a published pack.

Flows in: the manifest for the order, shards and ledgers, see `split_shards`. Flows out: see
`packs.publish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reelpack import __version__
from reelpack.config.recipes import Product, products
from reelpack.config.sampling import read_sampling
from reelpack.jobs.pool import worker_pool
from reelpack.packs import AUDIO, PackContext, Variant, get_format, publish
from reelpack.packs.publish import Missing
from reelpack.packs.split_shards import SplitCodes, SplitFrames, SplitShards


def make_variant(product: Product) -> Variant:
    """Return a crop set as packs name it."""
    crop = product.crop or {}
    return Variant(
        name=product.name.replace("/", "_"),
        shorter_side=product.frames.get("shorter_side"),
        square=product.frames.get("square"),
        **{key: crop[key] for key in ("size", "position", "hflip") if key in crop},
    )


def write_pack(
    manifest: Path,
    shards: Sequence[Path],
    *,
    params: Mapping[str, Any],
    folder: Path,
    workers: int = 1,
) -> dict[str, int]:
    """Write and publish a split's pack.

    Args:
        manifest: the split's `manifest.parquet`.
        shards: folders of its shards and ledgers: of codes, or when the recipe has no encoder of frames,
            for all crop sets or for each, and then of sound.
        params: write_pack's result, see `Settings.pack_result`.
        folder: the pack's place.
        workers: processes that encode image files.

    Returns:
        The counts of clips, entries and failures.

    Raises:
        UserError: more than max_failed of the split is missing.
    """
    card = params["card"]
    variants = tuple(make_variant(product) for product in products(card))
    if card.get("audio") is not None:
        variants += (Variant(AUDIO),)
    fps = read_sampling(card["frames"]).fps
    context = PackContext(
        params["dataset"],
        params["split"],
        params["recipe"],
        None if fps is None else str(fps),
        variants,
        settings={**card, **card["pack"]},
    )
    split: SplitShards
    if card["encoder"] is None:
        split = SplitFrames(shards, params["shards"])
    else:
        (folder_of_codes,) = shards
        split = SplitCodes(folder_of_codes, params["shards"])
    result = {key: value for key, value in params.items() if key not in ("shards", "max_failed")}
    # Only files of another kind than the shards' are made here.
    needed = workers if card["pack"].get("image", "png") != "png" else 1
    with worker_pool(needed, preload=["reelpack.images.files"]) as pool:
        return publish(
            folder,
            get_format(card["pack"]["format"]),
            split.entries(manifest, [variant.name for variant in variants]),
            replace(context, pool=pool),
            provenance={"reelpack": __version__, "result": result, "made_with": split.made_with},
            missing=Missing(
                split.failures(manifest),
                pq.ParquetFile(manifest).metadata.num_rows,
                params["max_failed"],
            ),
        )
