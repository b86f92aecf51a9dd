"""A recipe's `frames`, read once."""

from fractions import Fraction

import pytest

from reelpack.config.sampling import RULES, Sampling, read_sampling
from reelpack.config.windows import FeatureWindows
from reelpack.core.errors import UserError


def test_every_key_arrives_as_a_number():
    frames = {"fps": "2/3", "first": 4, "at_least": 2, "shorter_side": 64, "scaler": "lanczos"}
    assert read_sampling(frames) == Sampling(fps=Fraction(2, 3), first=4, at_least=2)
    assert read_sampling({"fps": 29.97}).fps == Fraction(2997, 100)
    assert read_sampling({"uniform": 5}) == Sampling(uniform=5)
    assert read_sampling({"every": True, "stream": "largest"}) == Sampling(
        every=True, stream="largest"
    )
    windows = {"clip_len": 1.5, "fps": 30, "frames": 32}
    assert read_sampling({"windows": windows}).windows == FeatureWindows(Fraction(3, 2), 30, 32)


def test_exactly_one_rule_is_given():
    for frames in ({}, {"every": False}, {"fps": 2, "uniform": 3}):
        with pytest.raises(UserError, match=f"frames: exactly one of {', '.join(RULES)}; got"):
            read_sampling(frames)


@pytest.mark.parametrize(
    ("frames", "most"),
    [
        ({"fps": 2}, None),
        ({"uniform": 8}, 8),
        ({"favd": 8, "first": 5}, 5),
        ({"every": True}, None),
    ],
)
def test_the_most_frames_of_a_clip(frames, most):
    assert read_sampling(frames).most == most


@pytest.mark.parametrize("limit", ["first", "uniform", "violet", "favd"])
def test_more_frames_than_a_clip_can_give_are_not_asked_for(limit):
    frames = {"fps": 2, "first": 3} if limit == "first" else {limit: 3}
    assert read_sampling({**frames, "at_least": 3}).at_least == 3
    with pytest.raises(UserError, match=f"frames.at_least: 4 is larger than {limit}, .*at most 3"):
        read_sampling({**frames, "at_least": 4})
