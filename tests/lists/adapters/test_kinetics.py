import pandas as pd
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.kinetics import rank_classes, read

TRAIN = (
    "label,youtube_id,time_start,time_end,split,is_cc\r\n"
    "zumba,---QUuC4vJs,84,94,train,0\r\n"
    '"dancing, slowly",-3B32lodo2M,59.0,69.0,train,0\r\n'
    "cooking egg,0wR5jVB-WPk,417,427,train,1\r\n"
    "cooking_a,0wR5jVB-WPk,417,427,train,1\r\n"
    "zumba,---QUuC4vJs,84,94,train,0\r\n"
)
TEST = "youtube_id,time_start,time_end,split\n--65_UAU7ao,0,10,test\n"
LVT = {"naming": "{label}/{youtube_id}_{start}_{duration}.mp4"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.csv").write_text("\ufeff" + TRAIN, newline="")
    (tmp_path / "validate.csv").write_text(TRAIN.splitlines()[0] + "\nzumba,a,1,11,val,0\n")
    (tmp_path / "test.csv").write_text(TEST)
    return tmp_path


def test_names_and_labels_are_mmaction2s(folder):
    table = read(folder, split="train", options={})
    assert table["video"].tolist() == [
        "zumba/---QUuC4vJs_000084_000094.mp4",
        "dancing,_slowly/-3B32lodo2M_000059_000069.mp4",
        "cooking_egg/0wR5jVB-WPk_000417_000427.mp4",
        "cooking_a/0wR5jVB-WPk_000417_000427.mp4",
    ]
    assert table["clip_id"].tolist() == [name.removesuffix(".mp4") for name in table["video"]]
    # Sorted with underscores, "cooking_a" comes before "cooking_egg"; with blanks it would not.
    assert table["label"].tolist() == [3, 2, 1, 0]
    assert table["label_name"].tolist() == ["zumba", "dancing, slowly", "cooking egg", "cooking_a"]
    assert table["start"].tolist() == [84, 59, 417, 417]
    assert table["end"].tolist() == [94, 69, 427, 427]
    assert table["url"][0] == "https://www.youtube.com/watch?v=---QUuC4vJs"


def test_names_are_lvts_with_blanks(folder):
    table = read(folder, split="train", options=LVT)
    assert table["video"][2] == "cooking egg/0wR5jVB-WPk_417_10.mp4"


def test_labels_of_another_split_come_from_the_training_list(folder):
    table = read(folder, split="val", options={})
    assert table["label"].tolist() == [3]
    assert table["clip_id"].tolist() == ["zumba/a_000001_000011"]


@pytest.mark.parametrize(
    "header", ["youtube_id,time_start,time_end", "label,youtube_id,time_start,time_end"]
)
def test_test_has_no_labels(folder, header):
    row = ("," if header.startswith("label") else "") + "--65_UAU7ao,0,10"
    (folder / "test.csv").write_text(f"{header}\n{row}\n")
    table = read(folder, split="test", options=LVT)
    assert table["clip_id"].tolist() == ["--65_UAU7ao_0_10"]
    assert table["label"].isna().all()
    assert table["label_name"].isna().all()


def test_other_projects_file_names(folder):
    (folder / "train.csv").rename(folder / "kinetics_train.csv")
    (folder / "validate.csv").rename(folder / "val.csv")
    assert len(read(folder, split="val", options={})) == 1


def test_classes_are_sorted_with_underscores():
    labels = pd.Series(["b a", 'b "c"', "b_b", "b a"])
    assert rank_classes(labels) == {"b_a": 0, "b_b": 1, "b_c": 2}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("zumba,a,x,10,val,0", "row 2: start 'x' is not a number"),
        ("zumba,a,0,,val,0", "row 2: end '' is not a number"),
        ("zumba,a,0", "row 2: Expected 6 columns, got 3"),
        ("juggling,a,0,10,val,0", "row 2: class 'juggling' is not one of the 4 in train.csv"),
        ("zumba,../../a,0,10,val,0", "row 2: video 'zumba/../../a_000000_000010.mp4' cannot be"),
    ],
)
def test_malformed_rows(folder, row, message):
    header = TRAIN.splitlines()[0]
    (folder / "validate.csv").write_text(f"{header}\n{row}\n")
    with pytest.raises(UserError) as caught:
        read(folder, split="val", options={})
    assert f"validate.csv: {message}" in str(caught.value)


def test_an_unknown_split(folder):
    with pytest.raises(UserError, match="no split 'holdout'; one of: train, val, test"):
        read(folder, split="holdout", options={})


def test_labels_are_nullable_integers(folder):
    assert read(folder, split="train", options={})["label"].dtype == pd.Int64Dtype()
