import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.favd import read

NAMES = ["datasets/videos/--0PQM4-hqg.mp4", "datasets/videos/b/x.y.mp4"]


def write(folder, captions=(("a dog barks", "two"), ("rain",)), keys=NAMES):
    (folder / "train.img.tsv").write_text("".join(f"{name}\t{name}\n" for name in NAMES))
    if captions is not None:
        lines = [
            f"{key}\t{json.dumps([{'caption': text} for text in texts])}\n"
            for key, texts in zip(keys, captions, strict=False)
        ]
        (folder / "train.caption.tsv").write_text("".join(lines))
    return folder


def test_paths_below_the_video_folder(tmp_path):
    table = read(write(tmp_path), split="train", options={})
    assert table["video"].tolist() == ["--0PQM4-hqg.mp4", "b/x.y.mp4"]
    assert table["clip_id"].tolist() == ["--0PQM4-hqg", "b/x.y"]
    assert table["captions"].tolist() == [["a dog barks", "two"], ["rain"]]


def test_another_prefix(tmp_path):
    table = read(write(tmp_path), split="train", options={"prefix": "datasets/"})
    assert table["video"][0] == "videos/--0PQM4-hqg.mp4"


def test_captions_are_not_needed(tmp_path):
    assert read(write(tmp_path, None), split="train", options={})["caption"].isna().all()


@pytest.mark.parametrize(
    ("captions", "keys", "message"),
    [
        ((("a",),), NAMES, "train.caption.tsv: 1 rows, but train.img.tsv has 2"),
        ((("a",), ("b",)), NAMES[::-1], "row 1: key 'datasets/videos/b/x.y.mp4', but"),
    ],
)
def test_captions_must_be_in_the_videos_order(tmp_path, captions, keys, message):
    with pytest.raises(UserError) as caught:
        read(write(tmp_path, captions, keys), split="train", options={})
    assert message in str(caught.value)


def test_malformed_captions(tmp_path):
    write(tmp_path)
    (tmp_path / "train.caption.tsv").write_text(f"{NAMES[0]}\t[]\n{NAMES[1]}\t[1]\n")
    with pytest.raises(UserError, match="row 2: '\\[1\\]' is not a list of"):
        read(tmp_path, split="train", options={})
