import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.msvd import read

CAPTIONS = (
    "# Descriptions\n#\n\n"
    "-4wsuPCjDBc_5_15 a squirrel is eating a peanut in it's shell\n"
    "a_b_c_10_205 someone cooks\n"
    "-4wsuPCjDBc_5_15 a chipmunk is eating\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "AllVideoDescriptions.txt").write_text(CAPTIONS)
    (tmp_path / "train_list.txt").write_text("-4wsuPCjDBc_5_15\r\na_b_c_10_205", newline="")
    return tmp_path


def test_names_hold_the_window(folder):
    table = read(folder, split="train", options={})
    assert table["clip_id"].tolist() == ["-4wsuPCjDBc_5_15", "a_b_c_10_205"]
    assert table["video"][0] == "-4wsuPCjDBc_5_15.avi"
    assert table["source_id"].tolist() == ["-4wsuPCjDBc", "a_b_c"]
    assert table["start"].tolist() == [5, 10]
    assert table["end"].tolist() == [15, 205]
    assert table["captions"][0] == [
        "a squirrel is eating a peanut in it's shell",
        "a chipmunk is eating",
    ]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train_list.txt", "vid1\n", "row 1: 'vid1' is not '<youtube id>_<start>_<end>'"),
        ("train_list.txt", "a_1_2\n", "has no caption of 'a_1_2'"),
        ("AllVideoDescriptions.txt", "a_1_2\n", "row 1: 'a_1_2' has no caption"),
    ],
)
def test_malformed_files(folder, file, text, message):
    (folder / file).write_text(text)
    with pytest.raises(UserError) as caught:
        read(folder, split="train", options={})
    assert message in str(caught.value)
