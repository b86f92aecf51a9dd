import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.youcook2 import read


def video(subset="training", segments=((0, [41, 54], "cut"), (1, [60.5, 72], "fry")), **changes):
    annotations = [{"id": i, "segment": times, "sentence": text} for i, times, text in segments]
    return {
        "duration": 311.77,
        "subset": subset,
        "recipe_type": "101",
        "annotations": annotations,
        "video_url": "https://www.youtube.com/watch?v=x",
        **changes,
    }


@pytest.fixture
def write(tmp_path):
    def write(database, name="trainval"):
        path = tmp_path / f"youcookii_annotations_{name}.json"
        path.write_text(json.dumps({"database": database}))
        return tmp_path

    return write


def test_a_window_for_every_segment(write):
    folder = write({"xHr8X2Wpmno": video(), "v_1": video("validation", [(0, [0, 9], "stir")])})
    table = read(folder, split="training", options={})
    assert table["clip_id"].tolist() == ["xHr8X2Wpmno_0", "xHr8X2Wpmno_1"]
    assert table["video"].tolist() == ["xHr8X2Wpmno.mp4"] * 2
    assert table["start"].tolist() == [41, 60.5]
    assert table["end"].tolist() == [54, 72]
    assert table["caption"].tolist() == ["cut", "fry"]
    assert table["label"].tolist() == [101, 101]
    assert table["url"][0] == "https://www.youtube.com/watch?v=xHr8X2Wpmno"
    assert read(folder, split="validation", options={})["clip_id"].tolist() == ["v_1_0"]


def test_the_test_split_has_no_sentences(write):
    entry = video("testing", annotations=[{"id": 0, "segment": [1, 2]}])
    table = read(write({"a": entry}, "test_segments_only"), split="testing", options={})
    assert table["caption"].isna().all()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "video 'a': not a mapping"),
        (video(recipe_type="soup"), "video 'a': recipe_type 'soup' is not a number"),
        (video(annotations=None), "video 'a': segment: not a list but NoneType"),
        (video(segments=[(0, [1], "x")]), "video 'a': segment 0: [1] is not a pair"),
        (video(segments=[(0, ["x", 2], "x")]), "row a: 0: start 'x' is not a number"),
    ],
)
def test_malformed_files(write, entry, message):
    with pytest.raises(UserError) as caught:
        read(write({"a": entry}), split="training", options={})
    assert message in str(caught.value)


def test_no_database(write):
    with pytest.raises(UserError, match="a mapping with a mapping 'database' wanted"):
        read(write(None), split="training", options={})
