from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpack.images.contact_sheet import contact_sheet, token_image


def plain(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_frames_stand_side_by_side_in_order() -> None:
    sheet = np.asarray(
        contact_sheet([("two", [plain(10), plain(200)])], columns=4, thumb_height=20)
    )
    middle = sheet[-14]
    at = {value: np.flatnonzero((middle == value).all(axis=1)) for value in (10, 200)}
    assert len(at[10]) == len(at[200]) == 30
    assert at[10].max() < at[200].min()


def test_a_long_row_keeps_its_ends() -> None:
    frames = [plain(value) for value in range(0, 200, 10)]
    sheet = np.asarray(contact_sheet([("", frames)], columns=3, thumb_height=20))
    line = sheet[-14, :, 0].tolist()
    assert {0, 190} <= set(line)
    assert sum(line.count(value) == 30 for value in range(0, 200, 10)) == 3


def test_odd_shapes_and_no_rows() -> None:
    contact_sheet([], columns=1, thumb_height=1)
    contact_sheet([("none", []), ("thin", [plain(1, 500, 1)])], columns=2, thumb_height=8)


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=30))
def test_any_title_can_be_drawn_and_again_alike(title: str) -> None:
    one, two = (contact_sheet([(title, [plain(9)])], columns=1, thumb_height=16) for _ in "ab")
    assert one.tobytes() == two.tobytes()


def test_the_title_is_seen() -> None:
    one, two = (
        contact_sheet([(title, [plain(9)])], columns=1, thumb_height=16) for title in ("a", "b")
    )
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_arrays_are_refused(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        contact_sheet([("x", [frame])], columns=1, thumb_height=4)


def test_token_colours_follow_the_tokens() -> None:
    tokens = np.array([[0, 1], [1, 8191]])
    image = token_image(tokens, 8192)
    assert image.shape == (2, 2, 3)
    assert image.dtype == np.uint8
    assert (image[0, 1] == image[1, 0]).all()
    assert (image[0, 0] != image[0, 1]).any()
    assert (token_image(tokens, 8192) == image).all()


@pytest.mark.parametrize("tokens", [np.array([[4]]), np.array([[-1]]), np.zeros((2, 2, 2), int)])
def test_tokens_out_of_range_are_refused(tokens: np.ndarray) -> None:
    with pytest.raises(ValueError, match="tokens"):
        token_image(tokens, 4)
