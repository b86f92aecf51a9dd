"""Numbers, sizes and tables as people read them."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence

_UNITS = ("B", "kB", "MB", "GB", "TB")
_NARROWEST = 20


def format_duration(seconds: float) -> str:
    """Write seconds for people: 0.42 s, 7.3 s, 2 min 05 s, 3 h 20 min, 2 d 4 h."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h"


def format_short(value: float) -> str:
    """Write a measured number with three digits that count, never as 1.2e+03."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def format_bytes(size: float) -> str:
    """Write a number of bytes for people, in powers of 1000."""
    power = 0
    while size >= 999.5 and power < len(_UNITS) - 1:
        size /= 1000
        power += 1
    return f"{format_short(size)} {_UNITS[power]}"


def count_things(number: int, thing: str) -> str:
    """Write a number of things: 1 clip, 1,200 clips."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def align_columns(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Iterator[str]:
    """Yield rows of cells as lines with columns below each other.

    Args:
        rows: cells; all rows have equally many.
        right: the columns that are set to the right, by number.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def print_table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> None:
    """Print rows below each other; a terminal gets the last column wrapped to its width."""
    lines = list(align_columns(rows, right=right))
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        start = sum(max(map(len, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
        if start + _NARROWEST <= columns:
            lines = [textwrap.fill(line, columns, subsequent_indent=" " * start) for line in lines]
    print("\n".join(lines))
