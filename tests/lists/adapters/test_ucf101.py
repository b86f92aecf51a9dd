import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.ucf101 import read

CLASSES = "1 ApplyEyeMakeup\r\n2 Archery\r\n3 HandstandPushups\r\n"
FILES = {
    "classInd.txt": CLASSES,
    "trainlist01.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\nArchery/v_Archery_g08_c01.avi 2\r\n",
    "testlist01.txt": "\ufeffHandstandPushups/v_HandStandPushups_g01_c01.avi\r\n\r\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, newline="")
    return tmp_path


def test_ids_are_vimpacs_and_labels_count_from_0(folder):
    table = read(folder, split="train_1", options={})
    assert table["clip_id"].tolist() == [
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01",
        "Archery/v_Archery_g08_c01",
    ]
    assert table["video"][0] == "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
    assert table["label"].tolist() == [0, 1]
    assert table["label_name"].tolist() == ["ApplyEyeMakeup", "Archery"]


def test_test_lists_take_labels_from_the_folder(folder):
    table = read(folder, split="test_1", options={})
    assert table["label"].tolist() == [2]
    # The folder and the file spell this class in two ways.
    assert table["clip_id"][0] == "HandstandPushups/v_HandStandPushups_g01_c01"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trainlist01.txt", "Archery/a.avi\n", "trainlist01.txt: row 1: 'Archery/a.avi' is not"),
        ("trainlist01.txt", "Archery/a.avi 1\n", "row 1: label '1'; classInd.txt has 2"),
        ("trainlist01.txt", "\nDiving/a.avi 1\n", "row 2: class 'Diving' is not one of the 3"),
        ("classInd.txt", "0 ApplyEyeMakeup\n", "classInd.txt: row 1: class number '0'; 1 wanted"),
        ("classInd.txt", "1 A\n3 B\n", "classInd.txt: row 2: class number '3'; 2 wanted"),
    ],
)
def test_malformed_lists(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(UserError) as caught:
        read(folder, split="train_1", options={})
    assert message in str(caught.value)


def test_a_missing_list(folder):
    with pytest.raises(UserError, match=r"adapter ucf101 needs testlist03.txt"):
        read(folder, split="test_3", options={})
