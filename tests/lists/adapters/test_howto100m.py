import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.howto100m import read


def test_whole_videos_without_labels(tmp_path):
    (tmp_path / "HowTo100M_v1.csv").write_text(
        "video_id,category_1,category_2,rank,task_id\n"
        "nVbIUDjzWY4,Cars & Other Vehicles,Motorcycles,27,52907\n"
        'CTPAZ2euJ2Q,"Food, Drink",,35,109057\n'
        "nVbIUDjzWY4,Cars & Other Vehicles,Motorcycles,3,1\n"
    )
    table = read(tmp_path, split="train_val", options={})
    assert table["clip_id"].tolist() == ["nVbIUDjzWY4", "CTPAZ2euJ2Q"]
    assert table["video"].tolist() == ["nVbIUDjzWY4.mp4", "CTPAZ2euJ2Q.mp4"]
    assert table["url"][1] == "https://www.youtube.com/watch?v=CTPAZ2euJ2Q"
    assert table["label"].isna().all()
    assert table["label_name"].tolist() == ["Cars & Other Vehicles", "Food, Drink"]
    assert table[["start", "end"]].isna().all().all()


def test_a_list_without_ids(tmp_path):
    (tmp_path / "HowTo100M_v1.csv").write_text("id\na\n")
    with pytest.raises(UserError, match="row 1: no column 'video_id'; found: id"):
        read(tmp_path, split="train_val", options={})
