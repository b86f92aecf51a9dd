"""Frame rates as the ffmpeg program understands them: a decimal number becomes a fraction of ints."""

from __future__ import annotations

import math
from fractions import Fraction

_LARGEST = (1 << 31) - 1


def rate_of(value: float) -> Fraction:
    """The fraction that the `fps` filter makes of a decimal rate.

    The filter turns the number into a fraction of two positive 32-bit ints by libavutil's
    `av_d2q`: the best approximation among the continued fraction's convergents and the last
    semiconvergent that fits.

    Args:
        value: frames per second, more than 0.

    Raises:
        ValueError: the rate is no positive number, or so far off that no such fraction is near.
    """
    if not 0 < value <= _LARGEST:
        raise ValueError(f"{value} is no frame rate")
    exponent = max(math.frexp(value)[1] - 1, 0)
    unit = 1 << (62 - exponent)
    rate = _reduce(math.floor(value * unit + 0.5), unit)
    if not rate:
        raise ValueError(f"{value} is no frame rate")
    return rate


def _reduce(numerator: int, denominator: int) -> Fraction:
    """Best fraction with both terms at most 2^31 - 1, found as libavutil's `av_reduce` does."""
    exact = Fraction(numerator, denominator)
    if max(exact.numerator, exact.denominator) <= _LARGEST:
        return exact
    last, best = (0, 1), (1, 0)
    rest, unit = exact.numerator, exact.denominator
    while unit:
        whole, remainder = divmod(rest, unit)
        term = whole * best[0] + last[0], whole * best[1] + last[1]
        if max(term) > _LARGEST:
            steps = [(_LARGEST - a) // b for a, b in zip(last, best, strict=True) if b]
            step = min(steps)
            # A semiconvergent is nearer than the convergent before it from half the way on.
            if unit * (2 * step * best[1] + last[1]) > rest * best[1]:
                best = step * best[0] + last[0], step * best[1] + last[1]
            break
        last, best = best, term
        rest, unit = unit, remainder
    return Fraction(*best)
