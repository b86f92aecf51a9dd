"""What frames become on their way into H.264: size, format, colours, orientation."""

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from reelpack.clips.cut.clip import CUTS, cut_clip
from reelpack.clips.cut.x264 import pixel_format
from reelpack.video.index import index_video
from tests.support.clips import picture, write_clip


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("yuv420p", (64, 48), "yuv420p"),
        ("yuvj422p", (64, 47), "yuvj422p"),
        ("yuv420p", (67, 48), "yuv444p"),
        ("yuv420p", (64, 45), "yuv444p"),
        ("yuvj422p", (67, 48), "yuvj444p"),
        ("yuv420p10le", (67, 45), "yuv444p10le"),
        ("gray", (67, 45), "gray"),
        ("nv12", (64, 48), "yuv420p"),
        ("rgb24", (64, 48), "yuv444p"),
        ("pal8", (64, 48), "yuv444p"),
        ("yuv420p12le", (64, 48), "yuv420p10le"),
    ],
)
def test_pixel_formats(name: str, size: tuple[int, int], expected: str) -> None:
    assert pixel_format(name, width=size[0], height=size[1]) == expected
    assert expected in {each.name for each in av.codec.Codec("libx264", "w").video_formats}


def cut(path: Path) -> Path:
    target = path.with_name("cut.mp4")
    cut_clip(path, target, how="exact", start_seconds=0.2, end_seconds=0.6)
    return target


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_orientation_is_kept(tmp_path: Path, clockwise: int) -> None:
    path = write_clip(tmp_path / "a.mp4", width=96, clockwise=clockwise)
    source, found = index_video(path), index_video(cut(path))
    assert (found.rotation, found.width, found.height) == (source.rotation, 96, 48)


@pytest.mark.parametrize("how", CUTS)
def test_orientation_by_exif_is_kept(tmp_path: Path, how: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path, target = tmp_path / "a.mkv", tmp_path / "cut.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for number in range(10):
            buffer = io.BytesIO()
            Image.fromarray(picture(number, 96, 64)).save(buffer, "JPEG", exif=exif)
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            output.mux(packet)
    assert index_video(path).rotation == 90
    cut_clip(path, target, how=how, start_seconds=0.2, end_seconds=0.36)  # type: ignore[arg-type]
    found = index_video(target)
    assert (found.rotation, len(found.pts)) == (90, 4)


@pytest.mark.parametrize(("pixel_format", "color_range"), [("yuv420p", 0), ("yuvj420p", 2)])
def test_colour_range_is_kept(tmp_path: Path, pixel_format: str, color_range: int) -> None:
    path = write_clip(tmp_path / "a.mp4", pixel_format=pixel_format)
    with av.open(str(path)) as file:
        assert next(file.decode(video=0)).color_range == color_range
    with av.open(str(cut(path))) as file:
        assert next(file.decode(video=0)).color_range == color_range


def test_the_source_s_key_pictures_are_not_taken_over(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", gop=1)
    assert len(index_video(path).entries) == 30
    assert len(index_video(cut(path)).entries) == 1


def test_pictures_refer_to_later_ones_at_a_steady_rate_only(tmp_path: Path) -> None:
    steady = index_video(cut(write_clip(tmp_path / "a.mp4")))
    assert (steady.packet_pts[1:] < steady.packet_pts[:-1]).any()
    stamps = [number * 512 + number % 2 for number in range(30)]
    uneven = write_clip(tmp_path / "b.mp4", stamps=stamps, time_base=steady.time_base)
    found = index_video(cut(uneven))
    assert (found.packet_pts[1:] > found.packet_pts[:-1]).all()
    assert found.durations[-1] == 513


def test_bits_never_differ(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=30, first_stamp=-7)
    assert len({cut(path).read_bytes() for _ in range(40)}) == 1
