"""Staged pixels: what decoding and cropping give, kept without loss."""

from fractions import Fraction
from pathlib import Path

import google_crc32c
import numpy as np
import pytest

from reelpack.clips.table import Clip
from reelpack.config.recipes import Product
from reelpack.core.errors import ClipError
from reelpack.encode.single import EncodeSettings, read_pixels
from reelpack.frames.extract import (
    CropSettings,
    build_crop,
    build_scale,
    crop_clip,
    extract_clip,
)
from reelpack.frames.shard import FrameShard, join_clips
from reelpack.jobs.stage import Task
from reelpack.video.decode import decode_frames
from reelpack.video.geometry import Crop, Scale, crop_frame
from reelpack.video.sampling import Sampling
from tests.lists.adapters import records
from tests.support.chain import Chain
from tests.support.clips import write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")

FRAMES = {"fps": "25/3", "shorter_side": 32, "scaler": "area"}
WHOLE = Product(FRAMES, None)
CUT = Product(FRAMES, {"size": 24, "position": "bottom", "hflip": True})


def test_every_key_of_a_recipe_arrives():
    frames = {"fps": "2/3", "first": 4, "at_least": 2, "shorter_side": 64, "scaler": "lanczos"}
    assert Product(frames, None).sampling == Sampling(fps=Fraction(2, 3), first=4, at_least=2)
    assert build_scale(frames) == Scale(shorter_side=64, scaler="lanczos")
    assert build_scale({"square": 64, "scaler": "bicubic"}) == Scale(square=64)
    assert build_crop(CUT) == Crop(24, "bottom", hflip=True)
    assert build_crop(WHOLE) is None


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("v") / "a.mp4", frames=30)


def extracted(video, folder, *, product=WHOLE, start=None, end=None):
    clip = Clip("d/a", str(video), "", start, end)
    target = folder / "frames.clip"
    extract_clip(Task(clip, "k", target, product))
    join_clips(folder / "frames.tar", [("d/a", target)])
    return clip, FrameShard(folder / "frames.tar")


@pytest.mark.parametrize("window", [(None, None), (0.4, 0.9)])
def test_frames_and_time_stamps_are_those_of_the_decoder(video, tmp_path, window):
    _, shard = extracted(video, tmp_path, start=window[0], end=window[1])
    wanted = list(
        decode_frames(
            video,
            sampling=Sampling(fps=Fraction(25, 3)),
            scales=[Scale(shorter_side=32, scaler="area")],
            start_seconds=window[0],
            end_seconds=window[1],
        )
    )
    assert shard.pts_seconds("d/a") == [frame.pts_seconds for frame in wanted]
    for found, frame in zip(shard.frames("d/a"), wanted, strict=True):
        np.testing.assert_array_equal(found, frame.pixels[0])


def test_crops_are_cut_from_the_stored_frames(video, tmp_path):
    clip, whole = extracted(video, tmp_path)
    crop_clip(Task(clip, "k", tmp_path / "c.clip", CropSettings(tmp_path / "frames.tar", CUT)))
    join_clips(tmp_path / "c.tar", [("d/a", tmp_path / "c.clip")])
    crops = FrameShard(tmp_path / "c.tar")
    assert crops.pts_seconds("d/a") == whole.pts_seconds("d/a")
    for crop, frame in zip(crops.frames("d/a"), whole.frames("d/a"), strict=True):
        assert crop.shape == (24, 24, 3)
        np.testing.assert_array_equal(crop, crop_frame(frame, Crop(24, "bottom", hflip=True)))


def test_a_failed_clip_leaves_no_file(video, tmp_path):
    small = Product(FRAMES, {"size": 200, "position": "center", "hflip": False})
    clip, _ = extracted(video, tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ClipError, match="too_small"):
        crop_clip(
            Task(clip, "k", tmp_path / "c.clip", CropSettings(tmp_path / "frames.tar", small))
        )
    many = Product({**FRAMES, "at_least": 1000}, None)
    with pytest.raises(ClipError, match="too_short"):
        extract_clip(Task(clip, "k", tmp_path / "c.clip", many))
    assert sorted(tmp_path.iterdir()) == before


def test_a_stage_repeats_byte_for_byte_and_its_sealed_shard_serves_again(video, tmp_path):
    def shards(folder: Path) -> list[bytes]:
        return [path.read_bytes() for path in sorted(folder.glob("[fc]r*/**/*.tar"))]

    one = Chain(tmp_path / "one", video.parent).clips()
    two = Chain(tmp_path / "two", video.parent, workers=2).clips()
    for chain in (one, two):
        chain.stage("00000", CUT)
    first = shards(one.folder)
    assert len(first) == 2
    assert shards(two.folder) == first
    for path in one.folder.glob("[fc]r*/**/*.tar"):
        path.unlink()
    one.stage("00000", CUT)
    assert shards(one.folder) == first


def test_a_record_is_a_clip_staged_and_streamed(tmp_path):
    path = tmp_path / "a.tfrecords"
    shots = np.arange(60, dtype=np.uint8).repeat(12288).reshape(2, 30, 64, 64, 3)
    parts = [
        records.example(
            {f"{n}/image_aux1/encoded": [shown.tobytes()] for n, shown in enumerate(shot)}
        )
        for shot in shots
    ]
    path.write_bytes(b"".join(records.frame(part, crc=google_crc32c.value) for part in parts))
    clip = Clip("a/2", str(path), "", None, None, record=2)
    product = Product({"every": True, "scaler": "bicubic"}, None)
    extract_clip(Task(clip, "k", tmp_path / "f.clip", product))
    join_clips(tmp_path / "f.tar", [("a/2", tmp_path / "f.clip")])
    staged = list(FrameShard(tmp_path / "f.tar").frames("a/2"))
    np.testing.assert_array_equal(np.stack(staged), shots[1])
    settings = EncodeSettings({}, Path(), (product,), (), "cpu")
    streamed = [crops[0] for crops in read_pixels(clip, settings)]
    np.testing.assert_array_equal(np.stack(streamed), shots[1])


def test_an_error_over_a_damaged_file_names_the_stage_that_would_have_failed_staged(monkeypatch):
    def fail(*_, **__):
        yield from ()
        raise ZeroDivisionError("a side of 0")

    monkeypatch.setattr("reelpack.frames.clip_pixels.decode_frames", fail)
    settings = EncodeSettings({}, Path(), (WHOLE,), (), "cpu")
    with pytest.raises(ClipError) as caught:
        list(read_pixels(Clip("a", "a.mp4", "", None, None), settings))
    assert (caught.value.stage, caught.value.failure) == ("extract_frames", "decode")
