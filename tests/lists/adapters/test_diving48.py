import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.diving48 import read

ENTRY = {"vid_name": "_8Vy3dlHg2w_00000", "label": 1, "start_frame": 0, "end_frame": 117}
VOCABULARY = [["Back", "15som", "05Twis", "FREE"], ["Back", "2som", "NoTwis", "TUCK"]]


@pytest.fixture
def write(tmp_path):
    def write(entries, vocabulary=VOCABULARY):
        (tmp_path / "Diving48_V2_train.json").write_text(json.dumps(entries))
        (tmp_path / "Diving48_vocab.json").write_text(json.dumps(vocabulary))
        return tmp_path

    return write


def test_names_and_labels(write):
    table = read(write([ENTRY]), split="train", options={})
    assert table["clip_id"].tolist() == ["_8Vy3dlHg2w_00000"]
    assert table["video"].tolist() == ["_8Vy3dlHg2w_00000.mp4"]
    assert table["label"].tolist() == [1]
    assert table["label_name"].tolist() == ["Back+2som+NoTwis+TUCK"]


def test_the_vocabulary_is_not_needed(write):
    folder = write([ENTRY])
    (folder / "Diving48_vocab.json").unlink()
    assert read(folder, split="train", options={})["label_name"].isna().all()


@pytest.mark.parametrize(
    ("entries", "vocabulary", "message"),
    [
        ([ENTRY, {**ENTRY, "label": 2}], VOCABULARY, "entry 2: label 2; allowed: 0 to 1"),
        ([{"vid_name": "a"}], VOCABULARY, "entry 1: label: int wanted, nothing found"),
        ([ENTRY], ["Back"], "Diving48_vocab.json: a list of lists of words wanted"),
    ],
)
def test_malformed_files(write, entries, vocabulary, message):
    with pytest.raises(UserError) as caught:
        read(write(entries, vocabulary), split="train", options={})
    assert message in str(caught.value)
