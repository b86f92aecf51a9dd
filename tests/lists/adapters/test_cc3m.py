import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.cc3m import read


@pytest.mark.parametrize("name", ["Train_GCC-training.tsv", "GCC-training.tsv"])
def test_rows_are_numbered_since_the_list_has_no_ids(tmp_path, name):
    (tmp_path / name).write_text(
        'a very "typical bus station\thttp://lh6.example/a.jpg\n'
        "sierra looked stunning\thttp://b.example/x?y=1,2\n"
        "the same picture\thttp://lh6.example/a.jpg\n"
    )
    table = read(tmp_path, split="train", options={})
    assert table["clip_id"].tolist() == ["train/0000000", "train/0000001", "train/0000002"]
    assert table["video"][0] == "train/0000000.jpg"
    assert table["url"][1] == "http://b.example/x?y=1,2"
    assert table["caption"][0] == 'a very "typical bus station'


def test_a_row_without_a_tab(tmp_path):
    (tmp_path / "GCC-1.1.0-Validation.tsv").write_text("a\thttp://a.example\nb http://b.example\n")
    with pytest.raises(UserError, match="row 2: Expected 2 columns, got 1"):
        read(tmp_path, split="val", options={})
