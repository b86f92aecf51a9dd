import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.msrvtt import read

SPLITS = {"video0": "train", "video1": "validate", "video7010": "test"}


def video(name, split):
    return {
        "id": int(name.removeprefix("video")),
        "video_id": name,
        "category": 9,
        "url": f"https://www.youtube.com/watch?v=-{name}_x",
        "start time": 137.72,
        "end time": 149,
        "split": split,
    }


def data(names=SPLITS, **changes):
    sentences = [
        {"sen_id": 3 * number + place, "video_id": name, "caption": f"{name} caption {place}"}
        for place in range(2)
        for number, name in enumerate(names)
    ]
    whole = {"info": {}, "videos": [video(name, SPLITS[name]) for name in names]}
    return {**whole, "sentences": sentences, **changes}


def write(folder, **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("whole", [True, False])
def test_one_file_or_two(tmp_path, whole):
    if whole:
        write(tmp_path, MSRVTT_data=data())
    else:
        parts = {
            "train_val_videodatainfo": ["video0", "video1"],
            "test_videodatainfo": ["video7010"],
        }
        write(tmp_path, **{name: data(names) for name, names in parts.items()})
    for name, split in SPLITS.items():
        (row,) = read(tmp_path, split=split, options={}).to_dict("records")
        assert (row["clip_id"], row["video"], row["label"]) == (name, f"{name}.mp4", 9)
        assert row["captions"] == [f"{name} caption 0", f"{name} caption 1"]
        assert row["caption"] == f"{name} caption 0"
        assert (row["start"], row["end"]) == (137.72, 149)
        assert row["source_id"] == f"-{name}_x"


def test_a_list_chooses_and_orders_and_may_caption(tmp_path):
    write(tmp_path, MSRVTT_data=data())
    (tmp_path / "nine.csv").write_text("video_id\nvideo7010\nvideo0\n")
    (tmp_path / "one.csv").write_text(
        'key,vid_key,video_id,sentence\nret0,msr7010,video7010,"a woman, creating"\n'
    )
    options = {"lists": {"train_9k": "nine.csv", "test_1k": "one.csv"}}
    table = read(tmp_path, split="train_9k", options=options)
    assert table["clip_id"].tolist() == ["video7010", "video0"]
    assert table["captions"][1] == ["video0 caption 0", "video0 caption 1"]
    table = read(tmp_path, split="test_1k", options=options)
    assert table["captions"].tolist() == [["a woman, creating"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "a mapping with videos and sentences wanted"),
        (data(sentences=[{"video_id": "video9", "caption": "x"}]), "sentence 1: no video 'video9'"),
        (data(videos=[{"video_id": "video0"}]), "video 1: category: int wanted, nothing found"),
    ],
)
def test_malformed_files(tmp_path, content, message):
    write(tmp_path, MSRVTT_data=content)
    with pytest.raises(UserError) as caught:
        read(tmp_path, split="train", options={})
    assert message in str(caught.value)


def test_a_list_that_names_a_strange_video(tmp_path):
    write(tmp_path, MSRVTT_data=data())
    (tmp_path / "nine.csv").write_text("video_id\nvideo0\nvideo5\n")
    with pytest.raises(UserError, match=r"nine.csv: row 3: no video 'video5'"):
        read(tmp_path, split="train_9k", options={"lists": {"train_9k": "nine.csv"}})


def test_splits_and_files_are_listed(tmp_path):
    with pytest.raises(UserError, match="no split 'val'; one of: train, validate, test"):
        read(tmp_path, split="val", options={})
    with pytest.raises(UserError, match=r"needs MSRVTT_data.json or"):
        read(tmp_path, split="train", options={})
