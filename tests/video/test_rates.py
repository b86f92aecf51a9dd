"""Rates become the fractions of libavutil's av_d2q, whose results stand here."""

from fractions import Fraction

import pytest

from reelpack.video.rates import rate_of


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (3.2, "16/5"),
        (2 / 3, "2/3"),
        (32 / 14.014, "16000/7007"),
        (32 / 18.037, "32000/18037"),
        (30000 / 1001, "30000/1001"),
        (1e-5, "1/100000"),
        (32 / 9.97, "3200/997"),
        (3.141592653589793, "1881244168/598818617"),
        (2147483646.7, "2147483647"),
    ],
)
def test_known_rates(value: float, rate: str) -> None:
    assert rate_of(value) == Fraction(rate)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e-12])
def test_what_is_no_rate(value: float) -> None:
    with pytest.raises(ValueError, match="no frame rate"):
        rate_of(value)
