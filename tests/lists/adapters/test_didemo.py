import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.didemo import read

NAME = "33234611@N00_3567949618_0bee41c6f7"


def moment(number, times, video=f"{NAME}.mov", text="the dog runs "):
    return {
        "annotation_id": number,
        "video": video,
        "times": times,
        "description": text,
        "num_segments": 6,
        "dl_link": "https://www.flickr.com/video_download.gne?id=3567949618",
    }


@pytest.fixture
def write(tmp_path):
    def write(*moments):
        (tmp_path / "val_data.json").write_text(json.dumps(moments))
        return tmp_path

    return write


def test_a_window_for_every_moment(write):
    folder = write(
        moment(7, [[0, 0], [1, 4], [1, 4], [0, 0], [2, 2]]),
        moment(8, [[3, 3]], video="79785633@N03_7901361222_8bb0dfc88f."),
    )
    table = read(folder, split="val", options={})
    assert table["clip_id"].tolist() == [f"{NAME}_7", "79785633@N03_7901361222_8bb0dfc88f_8"]
    # Two pairs tie: the one that was marked first.
    assert table["start"].tolist() == [0, 15]
    assert table["end"].tolist() == [5, 20]
    assert table["video"].tolist() == [f"{NAME}.mp4", "79785633@N03_7901361222_8bb0dfc88f.mp4"]
    assert table["caption"][0] == "the dog runs"
    assert table["url"].isna().all()


def test_most_annotators_win(write):
    folder = write(moment(7, [[0, 0], [1, 4], [1, 4]]))
    table = read(folder, split="val", options={"unit": "moments"})
    assert (table["start"][0], table["end"][0]) == (5, 25)


def test_a_video_under_two_endings_is_one_clip(write):
    folder = write(
        moment(7, [[0, 0]]),
        moment(8, [[1, 1]], video=f"{NAME}.mp4", text="it stops"),
    )
    table = read(folder, split="val", options={"unit": "videos"})
    assert table["clip_id"].tolist() == [NAME]
    assert table["captions"].tolist() == [["the dog runs", "it stops"]]
    assert (table["start"][0], table["end"][0]) == (0, 30)


def test_addresses_are_made_from_hashes(write):
    folder = write(moment(7, [[0, 0]]), moment(8, [[0, 0]], video="a_2_b.mp4"))
    (folder / "yfcc100m_hash.txt").write_text("3567949618\t5b85c5f263745fa9ff83787ba78cfb\n")
    table = read(folder, split="val", options={})
    assert table["url"][0] == (
        "https://multimedia-commons.s3-us-west-2.amazonaws.com/data/videos/mp4/"
        "5b8/5c5/5b85c5f263745fa9ff83787ba78cfb.mp4"
    )
    assert table["url"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (moment(7, []), "entry 1: nobody marked a time"),
        (moment(7, [[1]]), "entry 1: times [[1]] are not pairs of numbers"),
        (moment("7", [[1, 1]]), "entry 1: annotation_id: int wanted, '7' found"),
    ],
)
def test_malformed_entries(write, entry, message):
    with pytest.raises(UserError) as caught:
        read(write(entry), split="val", options={})
    assert message in str(caught.value)


def test_an_unknown_unit(write):
    with pytest.raises(UserError, match="unit 'frames'; one of: moments, videos"):
        read(write(), split="val", options={"unit": "frames"})
