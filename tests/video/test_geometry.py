"""Sizes, crop offsets and cuts, against the tables worked out from the original scripts."""

import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import ClipError, UserError
from reelpack.video.geometry import (
    CROP_POSITIONS,
    Crop,
    Scale,
    crop_frame,
    crop_offset,
    linear_frame,
    pad_frame,
    scaled_size,
    square_frame,
)

# Source: {shorter side: (long side, offsets of top, center, bottom on the long axis)}.
VIMPAC = {
    (320, 240): {128: (170, 0, 21, 42), 160: (213, 0, 42, 85), 256: (341, 0, 42, 85),
                 320: (426, 0, 85, 170)},
    (340, 256): {128: (170, 0, 21, 42), 160: (212, 0, 42, 84), 256: (340, 0, 42, 84),
                 320: (425, 0, 84, 169)},
    (1920, 1080): {128: (227, 0, 49, 99), 160: (284, 0, 78, 156), 256: (455, 0, 99, 199),
                   320: (568, 0, 156, 312)},
    (427, 240): {128: (227, 0, 49, 99), 160: (284, 0, 78, 156), 256: (455, 0, 99, 199),
                 320: (569, 0, 156, 313)},
}  # fmt: skip
SHORT_OFFSETS = {128: (0, 0, 0), 160: (0, 16, 32), 256: (0, 0, 0), 320: (0, 32, 64)}
CROP_OF = {128: 128, 160: 128, 256: 256, 320: 256}


@pytest.mark.parametrize("portrait", [False, True])
@pytest.mark.parametrize("side", [128, 160, 256, 320])
@pytest.mark.parametrize("source", list(VIMPAC))
def test_vimpac_table(source: tuple[int, int], side: int, portrait: bool) -> None:
    turn = -1 if portrait else 1
    long_side, *offsets = VIMPAC[source][side]
    width, height = scaled_size(*source[::turn], shorter_side=side)
    assert (width, height)[::turn] == (long_side, side)
    for position, on_long, on_short in zip(
        CROP_POSITIONS, offsets, SHORT_OFFSETS[side], strict=True
    ):
        offset = crop_offset(width, height, size=CROP_OF[side], position=position)
        assert offset[::turn] == (on_long, on_short)


def test_crop_cuts_and_mirrors() -> None:
    frame = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    cut = crop_frame(frame, Crop(4, "bottom"))
    np.testing.assert_array_equal(cut, frame[2:6, 5:9])
    mirrored = crop_frame(frame, Crop(4, "bottom", hflip=True))
    np.testing.assert_array_equal(mirrored, frame[2:6, 8:4:-1])
    assert cut.flags.c_contiguous
    assert mirrored.flags.c_contiguous
    assert crop_frame(frame, None) is frame


def test_crop_larger_than_the_picture_names_both_sizes() -> None:
    with pytest.raises(ClipError, match=r"10x10.*9x6") as caught:
        crop_frame(np.zeros((6, 9, 3), np.uint8), Crop(10))
    assert caught.value.failure == "too_small"


@pytest.mark.parametrize(
    ("width", "left", "right"), [(426, 94, 332), (428, 94, 334), (427, 94, 333)]
)
def test_square_follows_pillows_half_even_rounding(width: int, left: int, right: int) -> None:
    frame = np.zeros((239, width, 3), np.uint8)
    frame[:, left:right] = 255
    assert square_frame(frame, 64).min() == 255
    frame[:, left] = frame[:, right - 1] = 0
    edges = square_frame(frame, 64)[:, [0, -1]]
    assert edges.max() < 255


def test_square_of_a_small_picture_is_pillows_lanczos() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(square_frame(frame, 5), frame)
    assert square_frame(frame, 64).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("size", "padded"),
    [((427, 240), (427, 426)), ((320, 240), (320, 320)), ((33, 64), (63, 64)), ((9, 9), (9, 9))],
)
def test_padding_is_black_and_half_of_the_difference(
    size: tuple[int, int], padded: tuple[int, int]
) -> None:
    """A resize to the padded size itself is none, along the side where the two are the same."""
    frame = np.full((size[1], size[0], 3), 200, np.uint8)
    longer = max(padded)
    square = pad_frame(frame, longer)
    assert square.shape == (longer, longer, 3)
    share = (square > 100).mean()
    assert share == pytest.approx(size[0] * size[1] / (padded[0] * padded[1]), abs=2 / longer)
    assert crop_frame(frame, Crop(56, fit="pad")).shape == (56, 56, 3)


def test_pad_is_pillows_antialiased_bilinear() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
    padded = np.zeros((7, 8, 3), np.uint8)
    padded[1:6] = frame
    expected = Image.fromarray(padded).resize((3, 3), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(pad_frame(frame, 3), np.asarray(expected))


@pytest.mark.parametrize(
    ("size", "scaled"),
    [((427, 240), (455, 256)), ((240, 427), (256, 455)), ((1280, 720), (455, 256))],
)
def test_linear_rounds_the_longer_side(size: tuple[int, int], scaled: tuple[int, int]) -> None:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    assert linear_frame(frame, 256).shape == (scaled[1], scaled[0], 3)
    assert crop_frame(frame, Crop(256, fit="linear", jpeg=95)).shape == (scaled[1], scaled[0], 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scale(shorter_side=1, square=1),
        lambda: Scale(shorter_side=0),
        lambda: Scale(scaler="cubic"),  # type: ignore[arg-type]
        lambda: Crop(0),
        lambda: Crop(4, "left"),  # type: ignore[arg-type]
    ],
)
def test_bad_numbers_are_the_users_mistake(make: object) -> None:
    with pytest.raises(UserError):
        make()  # type: ignore[operator]
