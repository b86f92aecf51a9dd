"""What a dataset card must hold together, beyond its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelpack.core.errors import UserError

SOURCE_KINDS = ("folder", "archive", "archive_list", "http", "youtube")
ARCHIVE_KEYS = ("members", "strip", "nested")
OPTIONS = {
    "kinetics": ("naming",),
    "didemo": ("unit",),
    "webvid": ("files",),
    "msrvtt": ("lists",),
    "favd": ("prefix",),
}


def check_card(card: Mapping[str, Any], *, where: str) -> None:
    """Check how a card's keys go together.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    for key in ("sources", "windows"):
        if key in card and "annotations" not in card:
            raise UserError(f"{where}: {key}: only with annotations")
    if "annotations" in card:
        _check_annotations(card["annotations"], where=f"{where}: annotations")
    _check_splits(card, where=where)
    for number, source in enumerate(card.get("sources", [])):
        check_source(source, card["splits"], where=f"{where}: sources.{number}")


def _check_annotations(annotations: Mapping[str, Any], *, where: str) -> None:
    for number, file in enumerate(annotations["files"]):
        place = f"{where}.files.{number}"
        if ("url" in file) == ("path" in file):
            raise UserError(f"{place}: exactly one of url and path")
        if "sha256" in file and "url" not in file:
            raise UserError(f"{place}: sha256: only with url")
        if "strip" in file and "member" not in file:
            raise UserError(f"{place}: strip: only with member")
    allowed = OPTIONS.get(annotations["adapter"], ())
    for key in annotations.get("options", {}):
        if key not in allowed:
            raise UserError(
                f"{where}.options: {key!r} is not for adapter {annotations['adapter']};"
                f" allowed: {', '.join(allowed) or 'none'}"
            )


def _check_splits(card: Mapping[str, Any], *, where: str) -> None:
    splits = card["splits"]
    for name in card.get("default_splits", []):
        _check_split(name, splits, where=f"{where}: default_splits")
    for name, split in splits.items():
        if "select" in split and "annotations" not in card:
            raise UserError(f"{where}: splits.{name}.select: only with annotations")


def check_source(source: Mapping[str, Any], splits: Mapping[str, Any], *, where: str) -> None:
    """Check how a source's keys go together.

    Raises:
        UserError: one line that names the key, what it may be, and where.
    """
    kinds = [kind for kind in SOURCE_KINDS if kind in source]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise UserError(f"{where}: exactly one of {', '.join(SOURCE_KINDS)}; {found} found")
    for key in ARCHIVE_KEYS:
        if key in source and not kinds[0].startswith("archive"):
            raise UserError(f"{where}: {key}: only with archive and archive_list")
    for name in source.get("splits", []):
        _check_split(name, splits, where=f"{where}.splits")


def _check_split(name: str, splits: Mapping[str, Any], *, where: str) -> None:
    if name not in splits:
        raise UserError(f"{where}: no split {name!r}; one of: {', '.join(splits)}")
