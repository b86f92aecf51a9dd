"""File name patterns of cards, such as `{source_id}_{start:06d}_{end:06d}.mp4`."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import numpy as np
import pandas as pd

from reelpack.core.errors import UserError


def format_names(pattern: str, fields: Mapping[str, pd.Series], *, where: str) -> pd.Series:
    """Fill a pattern in, row by row.

    Numbers are written without a fraction where they have none, and take Python's integer formats
    (`{start:06d}` cuts the fraction off, as the published names do).

    Args:
        pattern: text with fields in braces.
        fields: the columns that it may name, all of one length.
        where: the start of error lines.

    Raises:
        UserError: a pattern that names no field or an unknown one, or a format that does not fit.
    """
    try:
        parts = list(Formatter().parse(pattern))
    except ValueError as error:
        raise UserError(f"{where}: pattern {pattern!r}: {error}") from error
    names = [name for _, name, _, _ in parts if name is not None]
    unknown = [name for name in names if name not in fields]
    if unknown or not names:
        problem = f"unknown field {unknown[0]!r}" if unknown else "no field"
        raise UserError(f"{where}: pattern {pattern!r}: {problem}; allowed: {', '.join(fields)}")
    pieces = [
        piece
        for text, name, spec, _ in parts
        for piece in (text, None if name is None else _formatted(fields[name], spec or "", where))
        if piece is not None
    ]
    result = pd.Series("", index=fields[names[0]].index, dtype="str")
    for piece in pieces:
        result = result + piece
    return result


def _formatted(values: pd.Series, spec: str, where: str) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values):
        if spec:
            raise UserError(f"{where}: format {spec!r} is for numbers; {values.name} is text")
        return values
    # Few distinct seconds among many clips: format each once.
    distinct = pd.unique(values)
    try:
        texts = {value: _number(value, spec) for value in distinct}
    except ValueError as error:
        raise UserError(f"{where}: format {spec!r}: {error}") from error
    return values.map(texts).astype("str")


def _number(value: float, spec: str) -> str:
    if np.isnan(value):
        raise ValueError("a clip has no such number")
    whole = int(value)
    if spec.endswith("d"):
        return format(whole, spec)
    return format(whole if whole == value else float(value), spec)


def format_source_names(pattern: str, table: pd.DataFrame, *, where: str) -> pd.Series:
    """Return the name that each clip's file has in a source.

    Args:
        pattern: the source's `naming`; fields: video (the published name), name (its last part),
            stem (that less its ending), source_id, label_name, start, end, duration.
        table: what an adapter returned.
        where: the start of error lines.
    """
    name = table["video"].str.rsplit("/", n=1).str[-1]
    fields = {
        "video": table["video"],
        "name": name,
        "stem": name.str.replace(r"\.[^.]*$", "", regex=True),
        "source_id": table["source_id"],
        "label_name": table["label_name"],
        "start": table["start"],
        "end": table["end"],
        "duration": table["end"] - table["start"],
    }
    names = format_names(pattern, fields, where=where)
    if names.isna().any():
        clip = table["clip_id"][names.isna()].iloc[0]
        raise UserError(f"{where}: pattern {pattern!r}: clip {clip!r} lacks a field of it")
    return names
