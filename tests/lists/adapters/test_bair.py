import google_crc32c
import numpy as np
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.lists.adapters.bair import read
from reelpack.video.bair import read_sequence
from tests.lists.adapters.records import example, frame


def sequence(seed):
    return np.random.default_rng(seed).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)


def payload(frames):
    features = {"0/action": [0.5, 0.25]}
    for number, pixels in enumerate(frames):
        features[f"{number}/image_main/encoded"] = [bytes(12288)]
        features[f"{number}/image_aux1/encoded"] = [pixels.tobytes()]
    return example(features)


def write(path, *payloads):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(frame(data, crc=google_crc32c.value) for data in payloads))
    return path


def test_frames_are_read_as_they_were_written(tmp_path):
    path = write(tmp_path / "a.tfrecords", *(payload(sequence(seed)) for seed in (1, 2)))
    first, second = (read_sequence(path, record) for record in (1, 2))
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, sequence(1))
    np.testing.assert_array_equal(second, sequence(2))


def test_sequences_are_listed_as_lvt_names_them(tmp_path):
    write(tmp_path / "train" / "traj_256_to_511.tfrecords", b"x")
    write(tmp_path / "train" / "traj_0_to_255.tfrecords", b"x", b"y")
    write(tmp_path / "test" / "traj_0_to_255.tfrecords", b"z")
    table = read(tmp_path, split="train", options={})
    assert table["clip_id"].tolist() == [
        "train/traj_0_to_255/1",
        "train/traj_0_to_255/2",
        "train/traj_256_to_511/1",
    ]
    assert table["video"][1] == "train/traj_0_to_255.tfrecords"
    assert table["record"].tolist() == [1, 2, 1]


def test_a_damaged_file_cannot_be_listed(tmp_path):
    path = write(tmp_path / "test" / "traj_0_to_255.tfrecords", b"xyz")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"traj_0_to_255.tfrecords: record 1 is cut short"):
        read(tmp_path, split="test", options={})


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"needs \*.tfrecords"):
        read(tmp_path, split="test", options={})


def test_records_of_another_kind(tmp_path):
    path = write(tmp_path / "a.tfrecords", payload(sequence(1)[:29]), b"\x0b")
    with pytest.raises(
        ClipError, match="record 1: 29/image_aux1/encoded has 0 bytes; 12288 wanted"
    ):
        read_sequence(path, 1)
    with pytest.raises(ClipError, match=r"record 2: no tf.train.Example"):
        read_sequence(path, 2)
