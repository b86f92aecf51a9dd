"""When a source is left alone, and when it is asked again."""

import pytest

from reelpack.core.errors import ClipError
from reelpack.sources.breaker import Breaker


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("youtube", limit=3, rest_seconds=100, clock=clock)


def ask(breaker, failure=None) -> tuple[str | None, bool]:
    """Send one clip through; return its class and whether the source was asked."""
    asked = False
    try:
        with breaker.guard():
            asked = True
            if failure:
                raise ClipError(failure, "no")
    except ClipError as error:
        return error.failure, asked
    return None, asked


def test_it_opens_after_refusals_in_a_row(breaker):
    assert [ask(breaker, "bot_check") for _ in range(3)] == [("bot_check", True)] * 3
    assert breaker.is_open
    assert ask(breaker) == ("bot_check", False)


def test_clips_get_the_class_of_the_last_refusal(breaker):
    for failure in ("bot_check", "bot_check", "rate_limited"):
        ask(breaker, failure)
    assert ask(breaker) == ("rate_limited", False)


@pytest.mark.parametrize("between", [None, "gone", "private", "geo", "corrupt"])
def test_another_answer_counts_anew(breaker, between):
    for failure in ("bot_check", "rate_limited", between, "bot_check", "bot_check"):
        ask(breaker, failure)
    assert not breaker.is_open


@pytest.mark.parametrize("between", ["network", "timeout", "refused"])
def test_no_answer_says_nothing(breaker, between):
    for failure in ("bot_check", between, "rate_limited", between, "bot_check"):
        ask(breaker, failure)
    assert breaker.is_open


def open_it(breaker):
    for _ in range(3):
        ask(breaker, "bot_check")


def test_after_the_rest_one_clip_asks_and_a_success_closes_it(breaker, clock):
    open_it(breaker)
    clock.now = 99
    assert ask(breaker) == ("bot_check", False)
    clock.now = 100
    with breaker.guard():
        assert ask(breaker) == ("bot_check", False)
    assert not breaker.is_open
    assert ask(breaker) == (None, True)


def test_a_refusal_after_the_rest_begins_another(breaker, clock):
    open_it(breaker)
    clock.now = 150
    assert ask(breaker, "rate_limited") == ("rate_limited", True)
    clock.now = 249
    assert ask(breaker) == ("rate_limited", False)
    clock.now = 250
    assert ask(breaker) == (None, True)


def test_a_success_under_way_closes_it(breaker):
    with breaker.guard():
        open_it(breaker)
        assert breaker.is_open
    assert ask(breaker) == (None, True)


def test_errors_of_this_machine_are_passed_on(breaker):
    with pytest.raises(OSError, match="disk"), breaker.guard():
        raise OSError("disk")
    assert not breaker.is_open
