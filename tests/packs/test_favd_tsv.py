"""FAVDBench's files: aligned by row, read as its own code does, and verified."""

import base64
import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from reelpack.packs import AUDIO, Entry, FrameSequence, Variant
from reelpack.packs.verify import verify_pack
from tests.packs.frame_samples import JpegFrames, frame_entry
from tests.packs.samples import assert_change_is_found, context, failure, put, put_whole

PICTURES = Variant("favd3_native_jpegffmpeg_linear24_jpeg95")
SETTINGS = {"frames": {"favd": 3}}


class Sound(FrameSequence):
    """A file that stands for an mp3 file."""

    pts_seconds = (0.0,)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def stored_bytes(self) -> int:
        return len(self.data)

    def __len__(self) -> int:
        return 1

    def png(self, number: int) -> bytes:
        raise NotImplementedError

    def file(self, number: int) -> bytes:
        return self.data


def clip(clip_id: str, order: int, *, sound: bool = True, **options) -> Entry:
    arrays = {PICTURES.name: JpegFrames(range(order, order + 3))}
    if sound:
        arrays[AUDIO] = Sound(b"\0\t\n" * order + clip_id.encode())
    return frame_entry(clip_id, order, arrays=arrays, **options)


def clips(**options) -> list[Entry]:
    """Ids as adapters give them, one of a video that is no mp4."""
    return [
        clip("--0PQM4-hqg", 0, **options),
        clip("b/x.y", 1, video="b/x.y.avi", captions=(), **options),
        clip("c", 2, video="c.webm", label=None, **options),
    ]


def put_tsv(folder: Path, items: list[Entry], *, sound: bool = True, **settings) -> Path:
    variants = (PICTURES, Variant(AUDIO)) if sound else (PICTURES,)
    about = context(variants, split="val", settings={**SETTINGS, **settings})
    put(folder, "favd_tsv", items, about, failures=[failure("mute", 9, "no sound")])
    return folder


def rows(path: Path) -> list[list[str]]:
    """Lines by their offsets, as FAVDBench's reader takes them."""
    offsets = [int(line.strip()) for line in path.with_suffix(".lineidx").open()]
    with path.open() as lines:
        found = []
        for offset in offsets:
            lines.seek(offset)
            found.append([field.strip() for field in lines.readline().split("\t")])
    return found


KEYS = ["datasets/videos/--0PQM4-hqg.mp4", "datasets/videos/b/x.y.avi", "datasets/videos/c.mp4"]


def test_every_file_has_the_same_clips_in_the_same_rows(tmp_path):
    items = clips()
    pack = put_tsv(tmp_path / "pack", items)
    found = yaml.safe_load((pack / "metadata/val_3frames.yaml").read_text())
    assert found == {
        "img": "frame_tsv/val_3frames.img.tsv",
        "caption": "val.caption.tsv",
        "label": "val.label.tsv",
        "audio": "audio_hdf/val_mp3.hdf",
    }
    frames = rows(pack / found["img"])
    for item, row in zip(items, frames, strict=True):
        assert json.loads(row[1]) == {"class": -1, "width": 32, "height": 24}
        pictures = item.arrays[PICTURES.name]
        assert [base64.b64decode(field) for field in row[2:]] == pictures.files
    tables = {name: rows(pack / f"metadata/val.{name}.tsv") for name in ("img", "caption", "label")}
    for table in (frames, *tables.values()):
        assert [row[0] for row in table] == KEYS
    assert [row[1] for row in tables["img"]] == KEYS
    captions = [[text["caption"] for text in json.loads(row[1])] for row in tables["caption"]]
    assert captions == [
        ["text of --0PQM4-hqg", 'two "quotes" 😀'], [""], ["text of c", 'two "quotes" 😀'],
    ]  # fmt: skip
    with h5py.File(pack / found["audio"]) as file:
        names = [name.decode() for name in file["audio_name"]]
        assert names == [key.split("/")[-1][:-4] for key in KEYS]
        for item, data in zip(items, file["mp3"], strict=True):
            assert data.dtype == np.uint8
            assert data.tobytes() == item.arrays[AUDIO].file(0)
    assert verify_pack(pack).differences == ()
    assert verify_pack(pack).arrays == 6


def test_binary_offsets(tmp_path):
    place = put_tsv(tmp_path / "pack", clips()) / "frame_tsv"
    text = [int(line) for line in (place / "val_3frames.img.lineidx").open()]
    binary = (place / "val_3frames.img.lineidx.8b").read_bytes()
    assert [offset for (offset,) in struct.iter_unpack("<Q", binary)] == text


def test_without_sound(tmp_path):
    pack = put_tsv(tmp_path / "pack", clips(sound=False), sound=False, video_prefix="v/")
    assert not (pack / "audio_hdf").exists()
    assert rows(pack / "frame_tsv/val_3frames.img.tsv")[2][0] == "v/c.mp4"
    assert verify_pack(pack).differences == ()


@pytest.mark.parametrize("clip_id", ["a\tb", "a\nb"])
def test_an_id_that_breaks_a_line_leaves_all_files(tmp_path, clip_id):
    pack = put_tsv(tmp_path / "pack", [clip(clip_id, 0), clip("good", 1)])
    assert [row[0] for row in rows(pack / "frame_tsv/val_3frames.img.tsv")] == [
        "datasets/videos/good.mp4"
    ]
    with h5py.File(pack / "audio_hdf/val_mp3.hdf") as file:
        assert file["audio_name"][0] == b"good"
    assert verify_pack(pack).differences == ()


def test_the_same_clips_give_the_same_bytes(tmp_path):
    one, other = (put_tsv(tmp_path / name, clips()) for name in "ab")
    checksums = [(pack / "checksums.sha256").read_text() for pack in (one, other)]
    assert checksums[0] == checksums[1]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("frame_tsv/val_3frames.img.tsv", b"/9j/", b"/9j0"),
        ("frame_tsv/val_3frames.img.tsv", b'"width": 32', b'"width": 33'),
        ("frame_tsv/val_3frames.img.lineidx", b"0\n", b"1\n"),
        ("metadata/val.caption.tsv", b"text of", b"tale of"),
        ("metadata/val.label.tsv", b'"class": 1', b'"class": 2'),
        ("metadata/val.img.tsv", b"c.mp4", b"d.mp4"),
        ("audio_hdf/val_mp3.hdf", b"--0PQM4-hqg", b"--0PQM4-hqx"),
        ("clips.jsonl", b"b/x.y", b"b/x.z"),
    ],
)
def test_a_change_is_found_without_checksums(tmp_path, name, old, new):
    assert_change_is_found(put_tsv(tmp_path / "pack", clips()), name, old, new)


def test_frame_folders(tmp_path):
    items = clips(sound=False)
    about = context((PICTURES,), split="val", settings=SETTINGS)
    put_whole(tmp_path / "pack", "favd_frames", items, about)
    place = tmp_path / "pack/frames/val-3frames"
    assert sorted(path.name for path in place.iterdir())[3:6] == [
        f"c_frame{number:04d}.jpg" for number in (1, 2, 3)
    ]
    assert (place / "x.y_frame0002.jpg").read_bytes() == items[1].arrays[PICTURES.name].files[1]
    (place / "x.y_frame0002.jpg").unlink()
    assert any("b/x.y" in line for line in verify_pack(tmp_path / "pack").differences)


def test_frame_folders_tell_of_two_clips_of_one_name(tmp_path):
    items = [clip("a/x", 0, sound=False), clip("b/x", 1, sound=False)]
    about = context((PICTURES,), settings=SETTINGS)
    put(tmp_path / "pack", "favd_frames", items, about)
    assert (
        "b/x,write_pack,pack,another clip is already called x"
        in (tmp_path / "pack/failures.csv").read_text()
    )
