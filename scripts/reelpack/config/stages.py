"""The stages of the workflow, each with all that is to be said of it, once.

A stage's version is raised by hand when its *results* change, never for a refactoring. The result string of
a stage holds its version and just the settings it depends on, so two runs with equal strings and equal
inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPLIT = "results/{dataset}/{split}"
LEDGER = "ledger.parquet"
# Rules that make targets, or only look at results.
OTHER_RULES = ("all", "download", "report")


@dataclass(frozen=True)
class StageCard:
    """What is known of one stage.

    Attributes:
        name: its rule's name; the names of generated rules begin with it.
        version: raised by hand when its results change; None where no result string is made.
        title: what people call it.
        place: what its outputs lie in, with wildcards; that of the first where there are several.
        ending: of its first output behind `{shard}.`; "" where a job is not for one shard.
        has_ledger: whether a ledger lies beside that output.
    """

    name: str
    version: int | None
    title: str
    place: str
    ending: str = ""
    has_ledger: bool = False

    @property
    def is_by_shard(self) -> bool:
        """Whether each shard has a job of its own."""
        return bool(self.ending)

    @property
    def folder(self) -> str:
        """Name of the folder of a split that its outputs lie in; "" where they lie elsewhere."""
        head, _, rest = self.place.partition(f"{SPLIT}/")
        return "" if head or not rest else rest.split("/")[0]

    @property
    def output(self) -> str:
        """Pattern of a shard's output."""
        return f"{self.place}/{{shard}}.{self.ending}"

    @property
    def ledger(self) -> str:
        """Pattern of a shard's ledger."""
        return f"{self.place}/{{shard}}.{LEDGER}"


def _by_shard(
    name: str, version: int, title: str, place: str, ending: str, *, has_ledger: bool = True
) -> StageCard:
    return StageCard(name, version, title, f"{SPLIT}/{place}", ending, has_ledger)


# In running order.
_CARDS = (
    StageCard("fetch_annotations", 1, "lists", "resources/annotations"),
    StageCard("fetch_archives", 1, "archives", "resources/archives/{dataset}"),
    StageCard("make_demo", None, "demo", "resources/videos/demo"),
    StageCard("make_bair_toy", None, "toy", "resources/annotations/bair_toy"),
    StageCard("fetch_weights", None, "weights", "resources/weights/{weights}"),
    StageCard("convert_weights", None, "converted weights", "resources/weights/{weights}"),
    StageCard("import_vqvae", 1, "imported VQ-VAE", "resources/models/{dataset}/{model}"),
    StageCard(
        "import_transformer",
        1,
        "imported transformer",
        "resources/transformers/{dataset}/{transformer}",
    ),
    StageCard("make_manifest", 2, "manifest", SPLIT),
    _by_shard("download_shard", 2, "download", "downloads", "parquet"),
    _by_shard("trim_shard", 2, "trim", "clips", "parquet"),
    _by_shard("extract_frames", 2, "frames", "frames/{sampling}", "tar"),
    _by_shard("crop_frames", 1, "crops", "crops/{sampling}/{crop}", "tar"),
    _by_shard("encode_images", 1, "image files", "images/{recipe}", "tar"),
    _by_shard("extract_audio", 1, "sound", "audio/{audio}", "tar"),
    StageCard("train_vqvae", 1, "VQ-VAE training", "resources/models/{dataset}/{model}"),
    _by_shard("encode_group", 1, "shared decode", "groups/{group}", "done", has_ledger=False),
    _by_shard("encode_shard", 2, "encoding", "encoded/{recipe}", "safetensors"),
    StageCard("write_pack", 1, "pack", f"{SPLIT}/packs/{{recipe}}"),
    StageCard("measure_codes", 1, "measures", f"{SPLIT}/measures"),
    StageCard(
        "train_transformer",
        1,
        "transformer training",
        "resources/transformers/{dataset}/{transformer}",
    ),
    StageCard("generate_videos", 1, "samples", f"{SPLIT}/samples/{{transformer}}"),
)
STAGES: dict[str, StageCard] = {card.name: card for card in _CARDS}
# Folder of a split -> the stage whose ledgers lie in it, in running order.
LEDGERS = {card.folder: card.name for card in _CARDS if card.has_ledger}
SHARD_RULES = frozenset(card.name for card in _CARDS if card.is_by_shard)
RUNNING_ORDER = tuple(STAGES)
RULES = (*OTHER_RULES, *RUNNING_ORDER)


def describe_result(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stage's result depends on; its canonical JSON is the result string.

    Args:
        stage: one of `STAGES` that has a version.
        settings: the slice of recipe, card and checksums that the stage's result depends on.
    """
    return {"stage": stage, "version": STAGES[stage].version, **settings}
