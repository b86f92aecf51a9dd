"""Pictures and records as clips: every rule takes them, upright and whole."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import google_crc32c
import numpy as np
import pytest
from PIL import Image, ImageOps

from reelpack.core.errors import ClipError
from reelpack.video.decode import DecodedFrame, decode_frames
from reelpack.video.geometry import Scale, scaled_size, square_frame
from reelpack.video.index import index_video
from reelpack.video.sampling import Sampling
from reelpack.video.stills import index_clip, read_stills
from tests.lists.adapters.records import example, frame
from tests.support.clips import picture

EVERY = Sampling(every=True)
RULES = {
    "fps": Sampling(fps=Fraction(2)),
    "slow": Sampling(fps=Fraction(1, 100)),
    "uniform": Sampling(uniform=5),
    "every": EVERY,
    "violet": Sampling(violet=4),
    "first": Sampling(uniform=5, first=3, at_least=1),
}
SAVED: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 95},
    "jpeg": {"progressive": True},
    "JPG": {"quality": 60},
    "png": {},
    "webp": {"lossless": True},
}


def saved(path: Path, **options: Any) -> Path:
    Image.fromarray(picture(3, 97, 64)).save(path, **options)
    return path


def frames(path: Path, sampling: Sampling = EVERY, **options: Any) -> list[DecodedFrame]:
    return list(decode_frames(path, **{"sampling": sampling, "scales": [Scale()], **options}))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ending", SAVED)
def test_every_rule_takes_a_picture_once(tmp_path, ending, rule):
    path = saved(tmp_path / f"a.{ending}", **SAVED[ending])
    (only,) = frames(path, RULES[rule])
    assert only.pts_seconds == 0
    np.testing.assert_array_equal(only.pixels[0], np.asarray(Image.open(path).convert("RGB")))
    index = index_clip(path)
    assert (index.codec, index.width, index.height) == ("picture", 97, 64)
    assert (index.duration_seconds, len(index.pts), index.has_audio) == (0, 1, False)


def test_favd_repeats_a_picture_as_it_does_the_last_of_any_clip(tmp_path):
    found = frames(saved(tmp_path / "a.png"), Sampling(favd=32))
    assert len(found) == 32
    np.testing.assert_array_equal(found[-1].pixels[0], picture(3, 97, 64))


def test_more_frames_than_a_picture_has(tmp_path):
    with pytest.raises(ClipError, match="too_short: 1 frames chosen, at least 2 are needed"):
        frames(saved(tmp_path / "a.png"), Sampling(uniform=5, at_least=2))


def test_pictures_are_scaled_as_videos_are(tmp_path):
    """A lossless video of the same frame is the witness."""
    path = saved(tmp_path / "a.png")
    video = tmp_path / "a.mkv"
    with av.open(str(video), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 97, 64, "bgr0"
        shown = av.VideoFrame.from_ndarray(picture(3, 97, 64), format="rgb24")
        output.mux(stream.encode(shown.reformat(format="bgr0")))
        output.mux(stream.encode(None))
    scales = [Scale(), Scale(shorter_side=40), Scale(square=32), Scale(48, scaler="bilinear")]
    (still,), (moving,) = frames(path, scales=scales), frames(video, scales=scales)
    native, small, square, _ = still.pixels
    assert small.shape == (*scaled_size(97, 64, shorter_side=40)[::-1], 3)
    np.testing.assert_array_equal(square, square_frame(native, 32))
    for one, other in zip(still.pixels, moving.pixels, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_cameras_say(tmp_path, ending, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"a.{ending}", exif=exif)
    (only,) = frames(path)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    np.testing.assert_array_equal(only.pixels[0], wanted)
    index = index_clip(path)
    upright = (97, 64) if orientation < 5 else (64, 97)
    assert (index.display_width, index.display_height) == upright == wanted.shape[1::-1]


def test_kinds_of_colour(tmp_path):
    image = Image.fromarray(picture(3, 97, 64))
    grey = np.asarray(image.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(
        read_stills(tmp_path / "deep.png")[0], np.stack([grey] * 3, axis=-1)
    )
    for mode, name in (("L", "l.jpg"), ("CMYK", "c.jpg"), ("P", "p.png"), ("RGBA", "a.png"),
                       ("1", "b.png"), ("LA", "la.webp")):  # fmt: skip
        image.convert(mode).save(tmp_path / name)
        assert read_stills(tmp_path / name).shape == (1, 64, 97, 3)


def test_a_moving_picture_is_no_single_frame(tmp_path):
    first, second = (Image.fromarray(picture(number, 97, 64)) for number in (3, 9))
    for name, options in (("a.webp", {"lossless": True}), ("a.png", {})):
        first.save(tmp_path / name, save_all=True, append_images=[second], **options)
        with pytest.raises(ClipError, match=r"refused: .*animated picture of 2 frames"):
            read_stills(tmp_path / name)


def test_a_moving_gif_is_a_video(tmp_path):
    shown = [Image.fromarray(picture(number, 96, 64)) for number in range(4)]
    shown[0].save(tmp_path / "a.gif", save_all=True, append_images=shown[1:], duration=100)
    assert len(frames(tmp_path / "a.gif")) == 4
    assert index_clip(tmp_path / "a.gif").codec == "gif"


def test_a_name_with_a_pattern_means_one_file(tmp_path):
    saved(tmp_path / "a1.jpg")
    other = tmp_path / "a%d.jpg"
    Image.fromarray(picture(9, 32, 32)).save(other)
    assert index_clip(other).width == 32


@pytest.mark.parametrize("ending", SAVED)
def test_broken_pictures(tmp_path, ending):
    whole = saved(tmp_path / f"a.{ending}", **SAVED[ending]).read_bytes()
    path = tmp_path / f"b.{ending}"
    for data in (whole[: len(whole) // 2], whole[:9], b"", b"<html>404</html>" * 40, bytes(999)):
        path.write_bytes(data)
        with pytest.raises(ClipError) as caught:
            index_clip(path)
        assert caught.value.failure == "corrupt"
        assert str(path) in caught.value.message
    path.unlink()
    with pytest.raises(ClipError, match=r"missing: .*no such file"):
        frames(path)
    path.mkdir()
    with pytest.raises(ClipError, match=r"missing: .*a folder"):
        index_clip(path)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(ClipError, match="refused: "):
        index_clip(path)


def test_other_formats_under_a_picture_s_name(tmp_path):
    buffer = BytesIO()
    Image.fromarray(picture(3, 97, 64)).save(buffer, "TIFF")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(ClipError, match=r"corrupt: .*cannot identify"):
        index_clip(tmp_path / "a.jpg")


def test_videos_whose_pictures_carry_exif(tmp_path):
    """Cameras write such; the orientation in it turns the frame."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.fromarray(picture(3, 96, 64)).save(buffer, "JPEG", exif=exif, quality=95)
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for number in range(3):
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            output.mux(packet)
    assert index_video(path).rotation == 90
    first, *_ = frames(path)
    turned = np.rot90(picture(3, 96, 64), -1)
    assert np.abs(first.pixels[0].astype(int) - turned).mean() < 12


# ---- records -------------------------------------------------------------------------------------


def sequence(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("records") / "traj_0_to_1.tfrecords"
    payloads = [
        example({f"{n}/image_aux1/encoded": [shown.tobytes()] for n, shown in enumerate(shot)})
        for shot in (sequence(1), sequence(2))
    ]
    path.write_bytes(b"".join(frame(data, crc=google_crc32c.value) for data in payloads))
    return path


@pytest.mark.parametrize(
    ("sampling", "numbers"),
    [
        (EVERY, list(range(30))),
        (Sampling(fps=Fraction(1)), list(range(30))),
        (Sampling(fps=Fraction(1, 3), first=4), [1, 4, 7, 10]),
        (Sampling(fps=Fraction(2), first=4), [0, 0, 1, 1]),
        (Sampling(uniform=3), [5, 15, 25]),
    ],
)
def test_pictures_of_a_record_stand_at_whole_seconds(records, sampling, numbers):
    found = frames(records, sampling, record=2)
    assert [shown.pts_seconds for shown in found] == numbers
    np.testing.assert_array_equal(
        np.stack([shown.pixels[0] for shown in found]), sequence(2)[numbers]
    )


def test_windows_and_scales_of_a_record(records):
    found = frames(records, record=1, start_seconds=3, end_seconds=5, scales=[Scale(32)])
    assert [shown.pts_seconds for shown in found] == [3, 4]
    assert found[0].pixels[0].shape == (32, 32, 3)


def test_the_index_of_a_record(records):
    index = index_clip(records, 1)
    assert (index.codec, index.width, index.height) == ("tfrecord", 64, 64)
    assert (len(index.pts), index.duration_seconds) == (30, 30)


def test_records_that_are_not_there(records, tmp_path):
    with pytest.raises(ClipError, match=r"missing: .*: no record 3"):
        index_clip(records, 3)
    with pytest.raises(ClipError, match=r"missing: .*: no such file"):
        frames(tmp_path / "none.tfrecords", record=1)
    damaged = tmp_path / "bad.tfrecords"
    data = bytearray(records.read_bytes())
    data[-100] ^= 1
    damaged.write_bytes(data)
    assert len(frames(damaged, record=1)) == 30
    with pytest.raises(ClipError, match=r"corrupt: .*record 2: wrong checksum"):
        frames(damaged, record=2)
