"""train_transformer and generate_videos: the packs that are learned, and those that are continued."""

from __future__ import annotations

from collections.abc import Iterable

from reelpack.config.settings import Settings
from reelpack.config.stage_results import describe_samples, describe_transformer
from reelpack.config.stages import STAGES
from reelpack.core.results import canonical
from reelpack.workflow.encode import find_learned, find_weights
from reelpack.workflow.paths import Wildcards, find_first_table

_PACK = STAGES["write_pack"].place


def get_packs(settings: Settings, wildcards: Wildcards, *, file: str) -> list[str]:
    """Return one file of each pack that a transformer depends on."""
    return [f"{pack}/{file}" for pack in _find_packs(settings, wildcards)]


def get_codes(settings: Settings, wildcards: Wildcards) -> str:
    """Return the pack that a transformer learns from."""
    return _find_packs(settings, wildcards)[0]


def get_held_out(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the option that names the pack that a transformer is measured on, if there is one."""
    held_out = _find_packs(settings, wildcards)[1:]
    return [part for pack in held_out for part in ("--held-out", pack)]


def _find_packs(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return the packs that a transformer learns from and is measured on."""
    card = settings.transformer(wildcards["transformer"])
    return [
        _PACK.format(dataset=card["dataset"], split=split, recipe=card["recipe"])
        for split in (card["split"], card["held_out"])
        if split is not None
    ]


def get_tables(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return one table of each split that a transformer depends on; see rules/manifest.smk for why."""
    card = settings.transformer(wildcards["transformer"])
    return _find_tables(settings, wildcards["transformer"], [card["split"], card["held_out"]])


def _find_tables(settings: Settings, transformer: str, splits: Iterable[str | None]) -> list[str]:
    """Return one table of each of these splits, and of what the VQ-VAE of the codes learned from."""
    card = settings.transformer(transformer)
    own = [find_first_table(settings, card["dataset"], split) for split in splits if split]
    return sorted({*own, *find_learned(settings, card["recipe"])})


def get_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return train_transformer's result string."""
    return canonical(describe_transformer(settings, wildcards["transformer"]))


# ---- samples -----------------------------------------------------------------------------------


def get_continued_codes(settings: Settings, wildcards: Wildcards) -> str:
    """Return the pack whose videos are continued."""
    recipe = settings.transformer(wildcards["transformer"])["recipe"]
    return _PACK.format(dataset=wildcards["dataset"], split=wildcards["split"], recipe=recipe)


def get_continued_file(settings: Settings, wildcards: Wildcards, *, file: str) -> str:
    """Return one file of the pack whose videos are continued."""
    return f"{get_continued_codes(settings, wildcards)}/{file}"


def get_samples_tables(settings: Settings, wildcards: Wildcards) -> list[str]:
    """Return one table of each split that samples depend on; see rules/manifest.smk for why."""
    card = settings.transformer(wildcards["transformer"])
    learned = [] if card["checkpoint"] else [card["split"], card["held_out"]]
    return _find_tables(settings, wildcards["transformer"], [wildcards["split"], *learned])


def get_vqvae(settings: Settings, wildcards: Wildcards) -> str:
    """Return the VQ-VAE that a transformer's codes are of."""
    recipe = settings.transformer(wildcards["transformer"])["recipe"]
    return find_weights(settings, recipe)


def get_samples_result(settings: Settings, wildcards: Wildcards) -> str:
    """Return generate_videos' result string."""
    return canonical(describe_samples(settings, wildcards["transformer"]))
