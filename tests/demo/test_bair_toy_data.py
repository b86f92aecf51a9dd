"""The made-up BAIR: bytes, format, and what its frames show."""

import runpy
import tarfile

import numpy as np
import pytest

from reelpack.demo.bair_toy import TAR, make_push, write_bair_toy
from reelpack.lists.adapters.bair import read
from reelpack.video.bair import read_sequence
from reelpack.video.tfrecord import count_records, read_record
from tests.lists.adapters import records
from tests.support.helpers import ROOT

COMMAND = ROOT / "scripts/make_bair_toy.py"


@pytest.fixture(scope="module")
def tar(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / TAR
    assert write_bair_toy(path) == 10
    return path


@pytest.fixture(scope="module")
def unpacked(tar):
    with tarfile.open(tar) as archive:
        archive.extractall(tar.parent, filter="data")
    return tar.parent / "softmotion30_44k"


def test_bytes_are_the_same_each_time(tar, tmp_path):
    write_bair_toy(tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == tar.read_bytes()


def test_members_are_named_as_the_published_ones(tar):
    with tarfile.open(tar) as archive:
        assert [(m.name, m.mtime) for m in archive] == [
            ("softmotion30_44k/train/traj_0_to_3.tfrecords", 0),
            ("softmotion30_44k/train/traj_4_to_7.tfrecords", 0),
            ("softmotion30_44k/test/traj_0_to_1.tfrecords", 0),
        ]


def test_the_adapter_reads_what_was_drawn(unpacked):
    assert len(read(unpacked, split="train", options={})) == 8
    assert len(read(unpacked, split="test", options={})) == 2
    np.testing.assert_array_equal(
        read_sequence(unpacked / "train/traj_4_to_7.tfrecords", 2), make_push(105).aux1
    )


def test_each_frame_has_the_four_published_features(unpacked):
    payload = read_record(unpacked / "test/traj_0_to_1.tfrecords", 1)
    made = make_push(200)
    features = {}
    for number in range(30):
        features[f"{number}/action"] = made.actions[number].tolist()
        features[f"{number}/endeffector_pos"] = made.positions[number].tolist()
        features[f"{number}/image_main/encoded"] = [made.main[number].tobytes()]
        features[f"{number}/image_aux1/encoded"] = [made.aux1[number].tobytes()]
    assert payload == records.example(features)
    assert (made.actions.shape, made.positions.shape) == ((30, 4), (30, 3))


def test_positions_are_where_the_moves_lead():
    made = make_push(100)
    moved = made.positions[:-1, :2] + made.actions[:-1, :2]
    np.testing.assert_allclose(made.positions[1:, :2], moved, atol=1e-6)


def test_sequences_differ_from_the_first_frame_on_and_move(unpacked):
    paths = sorted(unpacked.rglob("*.tfrecords"))
    videos = [
        read_sequence(path, record + 1).astype(int)
        for path in paths
        for record in range(count_records(path))
    ]
    assert len(videos) == 10
    for number, video in enumerate(videos):
        assert np.abs(np.diff(video, axis=0)).mean(axis=(1, 2, 3)).max() > 0.5
        assert all(np.abs(video[0] - other[0]).mean() > 3 for other in videos[:number])


def test_things_are_pushed():
    still = 0
    for seed in range(100, 108):
        first, later = make_push(seed).aux1[[0, 15]].astype(int)
        bright = (np.ptp(first, axis=2) > 120) != (np.ptp(later, axis=2) > 120)
        still += bright.sum() < 20
    assert still <= 1


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_bair_toy.py", str(tmp_path / "new" / TAR)])
    runpy.run_path(str(COMMAND), run_name="__main__")
    assert "10 sequences" in capsys.readouterr().out
    assert (tmp_path / "new" / TAR).stat().st_size > 7_000_000
