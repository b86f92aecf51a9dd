import pytest

from reelpack.core.errors import ClipError
from reelpack.video import tfrecord
from reelpack.video.tfrecord import count_records, masked_crc, parse_example, read_record
from tests.lists.adapters.records import example, frame, slow_crc32c, slow_mask

PAYLOADS = [b"one", b"", b"three" * 100]


def read_all(path):
    return [read_record(path, number + 1) for number in range(count_records(path))]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.tfrecords"
    path.write_bytes(b"".join(map(frame, PAYLOADS)))
    return path


def change(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("data", [b"", b"123456789", bytes(32), bytes(range(256)) * 5])
def test_checksums_are_masked_as_tensorflow_masks_them(data):
    assert masked_crc(data) == slow_mask(slow_crc32c(data))


def test_records_in_order_and_one_by_one(path):
    assert read_all(path) == PAYLOADS


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (0, "record 1: wrong checksum of its length"),
        (9, "record 1: wrong checksum of its length"),
        (12, "record 1: wrong checksum"),
        (15, "record 1: wrong checksum"),
        (-1, "record 3: wrong checksum"),
    ],
)
def test_any_changed_byte_is_noticed(path, offset, message):
    change(path, offset)
    with pytest.raises(ClipError) as caught:
        read_all(path)
    assert caught.value.failure == "corrupt"
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize("cut", [1, 5, 400, 515])
def test_a_file_cut_short_is_noticed(path, cut):
    path.write_bytes(path.read_bytes()[:-cut])
    for function in (lambda: read_record(path, 3), lambda: count_records(path)):
        with pytest.raises(ClipError, match="record 3 is cut short"):
            function()


def test_records_and_files_that_are_not_there(path):
    with pytest.raises(ClipError, match="no record 4"):
        read_record(path, 4)
    with pytest.raises(ClipError, match="no record 9"):
        read_record(path, 9)
    with pytest.raises(ClipError, match="no such file"):
        count_records(path.with_name("y"))


def test_byte_features_of_an_example():
    features = {"a/b": [b"x" * 300, b""], "numbers": [1.5, 2.0], "\u00e9": [b"y"]}
    assert parse_example(example(features)) == {"a/b": features["a/b"], "\u00e9": [b"y"]}


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\x0b", b"\xff" * 11])
def test_what_is_not_an_example(data):
    with pytest.raises(ClipError, match=r"corrupt: no tf.train.Example"):
        parse_example(data)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_records_are_framed_as_they_are_read(payload):
    assert tfrecord.frame_record(payload) == frame(payload)


def test_an_example_is_written_as_it_is_read():
    text, numbers = b"x" * 300, [0.1, -2.5e8, 0.0]
    written = tfrecord.example({"a/b": text, "numbers": numbers, "\u00e9": b""})
    assert written == example({"a/b": [text], "numbers": numbers, "\u00e9": [b""]})
