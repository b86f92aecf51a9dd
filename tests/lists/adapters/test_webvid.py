import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.webvid import read

OPTIONS = {"files": {"train": "mine.csv"}}
HEADER = "videoid,contentUrl,duration,page_dir,name\n"


def test_names_captions_and_addresses(tmp_path):
    (tmp_path / "mine.csv").write_text(
        HEADER
        + '21179416,https://a.example/21179416.mp4,PT00H00M11S,006001_006050,"Aerial, shot\nwinter"\n'
        + "5629184,https://a.example/5629184.mp4,PT00H00M29S,,Senior couple\n"
    )
    table = read(tmp_path, split="train", options=OPTIONS)
    assert table["video"].tolist() == ["006001_006050/21179416.mp4", "5629184.mp4"]
    assert table["clip_id"].tolist() == ["006001_006050/21179416", "5629184"]
    assert table["url"][0] == "https://a.example/21179416.mp4"
    assert table["caption"].tolist() == ["Aerial, shot\nwinter", "Senior couple"]


def test_own_lists_need_three_columns(tmp_path):
    (tmp_path / "mine.csv").write_text("name,videoid,contentUrl\nx,1,https://a.example/1.mp4\n")
    assert read(tmp_path, split="train", options=OPTIONS)["clip_id"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../1,u,d,p,n", "row 2: video 'p/../1.mp4' cannot be a path"),
        ("1,u,d,/etc,n", "row 2: video '/etc/1.mp4' cannot be a path"),
        ("1,u,d,p", "row 2: Expected 5 columns, got 4"),
    ],
)
def test_malformed_rows(tmp_path, row, message):
    (tmp_path / "mine.csv").write_text(f"{HEADER}{row}\n")
    with pytest.raises(UserError) as caught:
        read(tmp_path, split="train", options=OPTIONS)
    assert message in str(caught.value)


def test_a_split_without_a_list(tmp_path):
    with pytest.raises(UserError, match="adapter webvid: no split 'val'; one of: train"):
        read(tmp_path, split="val", options=OPTIONS)
