import math

import pytest

from reelpack.config.transformer_sizes import PRESETS, Sizes
from reelpack.core.errors import UserError


def test_the_published_models_differ_in_their_slices():
    assert PRESETS["DSFVT"] == PRESETS["KDSFVT"] == Sizes()
    assert [PRESETS[name].slices for name in ("DSFVT", "DSSVT", "DSTSVT")] == [16, 4, 16]
    for name, frames in (("DSFVT", 16), ("DSSVT", 4), ("DSTSVT", 16)):
        sizes = PRESETS[name]
        assert math.prod(sizes.slice_shape((frames, 16, 16))) == 256
        assert sizes.slice_shape((frames, 16, 16)) == sizes.block


@pytest.mark.parametrize("name", PRESETS)
def test_sizes_come_from_a_mapping(name):
    sizes = PRESETS[name]
    card = {
        "stride": list(sizes.stride),
        "kernel": list(sizes.kernel),
        "block": list(sizes.block),
        "encoder_heads": [8] * 8,
    }
    assert Sizes.from_mapping(card) == sizes


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"heads": 8}, "architecture: unknown key 'heads'; allowed: block, codebooks, codes"),
        ({"stride": [1, 2]}, r"architecture: stride: \[1, 2\] is too short"),
        ({"stride": 4}, "architecture: stride: 4 is not of type 'array'"),
        ({"block": [1, 0, 2]}, r"architecture: block\.1: 0 is less than the minimum of 1"),
        ({"kernel": [1, 2, 3]}, r"architecture.kernel: \[1, 2, 3\]; allowed: odd sides"),
        ({"codes": True}, "architecture: codes: True is not of type 'integer'"),
        ({"encoder_heads": 8}, "architecture: encoder_heads: 8 is not of type 'array'"),
        ({"width": 5}, "architecture: width: 5 is less than the minimum of 6"),
    ],
)
def test_wrong_sizes_are_user_errors(mapping, message):
    with pytest.raises(UserError, match=message):
        Sizes.from_mapping(mapping)


@pytest.mark.parametrize("video", [(15, 16, 16), (16, 8, 16), (16, 16, 24)])
def test_videos_that_do_not_fall_into_slices_are_user_errors(video):
    with pytest.raises(UserError, match="do not fall into slices of stride"):
        Sizes().slice_shape(video)
