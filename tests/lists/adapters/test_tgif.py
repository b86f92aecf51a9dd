import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.tgif import read

A = "https://38.media.tumblr.com/9f6c/tumblr_mev_500.gif"
B = "https://33.media.tumblr.com/aaaa/tumblr_nok_400.gif"
B_TOO = "https://31.media.tumblr.com/bbbb/tumblr_nok_400.gif"


@pytest.fixture
def folder(tmp_path):
    lines = [f'{A}\ta "man is glaring', f"{B}\ta cat, jumps", f"{A}\tanother", f"{B_TOO}\tx"]
    (tmp_path / "tgif-v1.0.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "train.txt").write_text(f"{B}\n{A}\n{A}\n")
    (tmp_path / "test.txt").write_text(f"{B}\n{A}\n{B_TOO}\n")
    return tmp_path


def test_a_clip_per_url_with_all_its_sentences(folder):
    table = read(folder, split="train", options={})
    assert table["clip_id"].tolist() == ["tumblr_nok_400", "tumblr_mev_500"]
    assert table["video"].tolist() == ["tumblr_nok_400.gif", "tumblr_mev_500.gif"]
    assert table["url"].tolist() == [B, A]
    assert table["captions"].tolist() == [["a cat, jumps"], ['a "man is glaring', "another"]]


def test_names_that_two_urls_share_get_their_folder(folder):
    table = read(folder, split="test", options={})
    assert table["video"].tolist() == [
        "aaaa/tumblr_nok_400.gif",
        "tumblr_mev_500.gif",
        "bbbb/tumblr_nok_400.gif",
    ]


def test_a_url_without_sentence(folder):
    (folder / "val.txt").write_text(f"{A}\nhttps://a/b/c.gif\n")
    with pytest.raises(UserError, match=r"val.txt: row 2: tgif-v1.0.tsv has no sentence of"):
        read(folder, split="val", options={})
