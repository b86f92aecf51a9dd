"""VIOLET's files: what its own code does to them, and what verification finds."""

import base64
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelpack.core.errors import UserError
from reelpack.packs import Entry
from reelpack.packs.verify import verify_pack
from tests.packs.frame_samples import WHOLE, JpegFrames, frame_entry
from tests.packs.samples import ONE, assert_change_is_found, context, entries, entry, put, put_whole


def put_frames(
    folder: Path, items: list[Entry], *, split: str = "train", **settings: object
) -> Path:
    about = context(WHOLE, dataset="webvid", split=split, settings=settings)
    put(folder, "violet_frames", items, about)
    return folder


def clips(count: int = 5) -> list[Entry]:
    return [frame_entry(f"part {n % 2}/vid.{n}", n) for n in range(count)]


def files(item: Entry) -> list[bytes]:
    frames = item.arrays[WHOLE[0].name]
    assert isinstance(frames, JpegFrames)
    return frames.files


def names(pack: Path) -> list[str]:
    return sorted(path.name for path in pack.iterdir() if path.suffix in (".pkl", ".tsv", ".json"))


def test_the_dictionary_holds_the_frames_of_every_video(tmp_path):
    items = clips()
    pack = put_frames(tmp_path / "pack", items, files=["pkl"], text="retrieval")
    assert names(pack) == ["img_webvid.pkl", "provenance.json", "txt_webvid-retrieval.json"]
    with (pack / "img_webvid.pkl").open("rb") as file:
        found = pickle.load(file)
    assert list(found) == [f"vid.{n}" for n in range(5)]
    for item, coded in zip(items, found.values(), strict=True):
        assert [base64.b64decode(text) for text in coded] == files(item)
        assert Image.open(io.BytesIO(base64.b64decode(coded[1]))).size == (32, 24)
    pairs = json.loads((pack / "txt_webvid-retrieval.json").read_text())["train"]
    assert len(pairs) == 10
    assert pairs[1] == {"video": "vid.0", "caption": 'two "quotes" 😀'}
    assert verify_pack(pack).differences == ()


def test_pretraining_reads_lines_by_offset_and_every_id_has_a_text(tmp_path):
    items = clips()
    pack = put_frames(tmp_path / "pack", items, files=["tsv"], text="pretrain", dataset_name="web")
    assert names(pack) == [
        "img_web_train_0.tsv", "img_web_train_1.tsv", "provenance.json", "txt_web.json",
    ]  # fmt: skip
    texts = json.loads((pack / "txt_web.json").read_text())["train"]
    found = {}
    for part in (0, 1):
        offsets = [int(line) for line in (pack / f"img_web_train_{part}.lineidx").open()]
        assert len(offsets) == 3 - part
        with (pack / f"img_web_train_{part}.tsv").open() as lines:
            for offset in reversed(offsets):
                lines.seek(offset)
                video, *coded = lines.readline().split("\t")
                found[video] = [base64.b64decode(text) for text in coded]
    assert found == {item.clip_id.rpartition("/")[2]: files(item) for item in items}
    assert texts["vid.3"] == ["text of part 1/vid.3", 'two "quotes" 😀']
    assert sorted(texts) == sorted(found)
    assert verify_pack(pack).differences == ()


def test_a_validation_set_is_one_file(tmp_path):
    pack = put_frames(tmp_path / "pack", clips(), split="val", text="pretrain")
    assert names(pack) == [
        "img_webvid.pkl", "img_webvid_val.tsv", "provenance.json", "txt_webvid.json",
    ]  # fmt: skip
    assert list(json.loads((pack / "txt_webvid.json").read_text())) == ["val"]
    assert verify_pack(pack).differences == ()


def test_a_clip_without_text_fails_where_pretraining_needs_one(tmp_path):
    items = [*clips(3), frame_entry("mute", 3, captions=())]
    pack = put_frames(tmp_path / "pack", items, text="pretrain")
    failed = (pack / "failures.csv").read_text().splitlines()[1]
    assert failed.startswith('mute,write_pack,pack,"the clip has no caption, which')
    assert "mute" not in json.loads((pack / "txt_webvid.json").read_text())["train"]
    other = put_frames(tmp_path / "other", items, text="retrieval")
    assert (other / "failures.csv").read_text().count("\n") == 1
    assert verify_pack(pack).differences == verify_pack(other).differences == ()


@pytest.mark.parametrize("clip_id", ["a/b\tc", "a/b\nc", " b"])
def test_an_id_that_breaks_a_line_fails(tmp_path, clip_id):
    pack = put_frames(tmp_path / "pack", [frame_entry(clip_id), frame_entry("good", 1)])
    assert "the id's last part is empty, or has a tab" in (pack / "failures.csv").read_text()
    with (pack / "img_webvid.pkl").open("rb") as file:
        assert list(pickle.load(file)) == ["good"]


def test_two_clips_of_one_name_are_told(tmp_path):
    pack = put_frames(tmp_path / "pack", [frame_entry("a/x"), frame_entry("b/x", 1)])
    assert (
        "b/x,write_pack,pack,another clip is already called x"
        in (pack / "failures.csv").read_text()
    )
    assert verify_pack(pack).entries == 1


def test_the_same_clips_give_the_same_bytes(tmp_path):
    one, other = (put_frames(tmp_path / name, clips(), text="pretrain") for name in "ab")
    checksums = [(pack / "checksums.sha256").read_text() for pack in (one, other)]
    assert checksums[0] == checksums[1]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("img_webvid.pkl", b"vid.3", b"vid.x"),
        ("img_webvid_train_1.tsv", b"/9j/", b"/9j0"),
        ("img_webvid_train_0.lineidx", b"0\n", b"1\n"),
        ("clips.jsonl", b"part 1/vid.1", b"part 1/vid.7"),
        ("clips.jsonl", b"text of", b"tale of"),
    ],
)
def test_a_change_is_found_without_checksums(tmp_path, name, old, new):
    pack = put_frames(tmp_path / "pack", clips(), text="pretrain")
    assert_change_is_found(pack, name, old, new)


def test_a_damaged_file_is_not_read_again(tmp_path):
    pack = put_frames(tmp_path / "pack", clips())
    path = pack / "img_webvid.pkl"
    path.write_bytes(path.read_bytes()[:-100])
    assert any("img_webvid.pkl" in line for line in verify_pack(pack).differences)


@pytest.mark.parametrize("shape", [(5, 7, 7), (5, 1, 7, 7)], ids=["plain", "codebook"])
def test_tokens_are_one_array_per_video(tmp_path, shape):
    items = list(entries(4, variants=ONE, shape=shape))
    about = context(ONE, dataset="webvid")
    put_whole(tmp_path / "pack", "violet_vq", items, about)
    with (tmp_path / "pack/vq_webvid.pkl").open("rb") as file:
        found = pickle.load(file)
    for item in items:
        tokens = found[item.clip_id.rpartition("/")[2]]
        assert tokens.dtype == np.int16
        np.testing.assert_array_equal(tokens, item.arrays["center64"].reshape(5, 7, 7))


def test_tokens_of_another_shape_are_refused(tmp_path):
    wrong = entry("a", variants=ONE, shape=(5, 2, 7, 7))
    with pytest.raises(UserError, match=r"shape \[5, 2, 7, 7\], allowed are \[T, h, w\] and"):
        put(tmp_path / "pack", "violet_vq", [wrong], context(ONE))
