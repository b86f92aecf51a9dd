import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.hmdb51 import read


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"sword_test_split{number}.txt").write_text(
            f"a_(1)_f_nm.avi {number % 3} \nb.avi 2 \n"
        )
        (tmp_path / f"brush_hair_test_split{number}.txt").write_text(
            "x.avi 1 \r\ny.avi 0 \r\nz.avi 2 \r\n", newline=""
        )
    (tmp_path / "README.txt").write_text("not a list")
    return tmp_path


@pytest.mark.parametrize(
    ("split", "clips"),
    [
        ("train_1", {"brush_hair/x": 0, "sword/a_(1)_f_nm": 1}),
        ("test_1", {"brush_hair/z": 0, "sword/b": 1}),
        ("test_2", {"brush_hair/z": 0, "sword/a_(1)_f_nm": 1, "sword/b": 1}),
        ("train_3", {"brush_hair/x": 0}),
    ],
)
def test_0_is_unused_1_train_2_test(folder, split, clips):
    table = read(folder, split=split, options={})
    assert dict(zip(table["clip_id"], table["label"], strict=True)) == clips
    assert table["video"][0].endswith(".avi")
    assert table["label_name"][0] == "brush_hair"


@pytest.mark.parametrize("line", ["a.avi 3", "a.avi", "a b.avi 1"])
def test_malformed_lines(folder, line):
    (folder / "sword_test_split1.txt").write_text(f"b.avi 2\n{line}\n")
    with pytest.raises(UserError, match=r"sword_test_split1.txt: row 2: "):
        read(folder, split="train_1", options={})


def test_a_class_without_one_of_its_splits(folder):
    (folder / "sword_test_split2.txt").unlink()
    with pytest.raises(UserError, match=r"sword_test_split2.txt: adapter hmdb51 needs this file"):
        read(folder, split="train_2", options={})


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"adapter hmdb51 needs CLASS_test_split1.txt"):
        read(tmp_path, split="train_1", options={})
