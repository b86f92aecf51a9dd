import pytest

from reelpack.core.errors import ClipError
from reelpack.video import tfrecord
from reelpack.video.tfrecord import count_records, parse_example, read_record, read_records
from tests.lists.adapters.records import example, frame

PAYLOADS = [b"one", b"", b"three" * 100]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.tfrecords"
    path.write_bytes(b"".join(map(frame, PAYLOADS)))
    return path


def change(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def test_records_in_order_and_one_by_one(path):
    assert list(read_records(path)) == PAYLOADS
    assert [read_record(path, number) for number in (1, 2, 3)] == PAYLOADS
    assert count_records(path) == 3


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
        list(read_records(path))
    assert caught.value.failure == "corrupt"
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize("cut", [1, 5, 400, 515])
def test_a_file_cut_short_is_noticed(path, cut):
    path.write_bytes(path.read_bytes()[:-cut])
    for function in (lambda: list(read_records(path)), lambda: count_records(path)):
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
def test_what_is_no_example(data):
    with pytest.raises(ClipError, match=r"corrupt: no tf.train.Example"):
        parse_example(data)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_records_are_framed_as_they_are_read(payload):
    assert tfrecord.frame_record(payload) == frame(payload)


def test_an_example_is_written_as_it_is_read():
    text, numbers = b"x" * 300, [0.1, -2.5e8, 0.0]
    written = tfrecord.example({"a/b": text, "numbers": numbers, "\u00e9": b""})
    assert written == example({"a/b": [text], "numbers": numbers, "\u00e9": [b""]})
