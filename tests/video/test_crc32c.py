import numpy as np
import pytest

from reelpack.video.crc32c import crc32c, masked
from tests.lists.adapters.records import slow_crc32c, slow_mask


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_published_values(data, crc):
    assert crc32c(data) == crc


@pytest.mark.parametrize("count", [1, 2, 3, 16383, 16384, 16385, 20001])
def test_any_length_is_as_byte_by_byte(count):
    data = np.random.default_rng(count).bytes(count)
    assert crc32c(memoryview(data)) == slow_crc32c(data)


def test_masks():
    assert masked(0xE3069283) == slow_mask(0xE3069283)
