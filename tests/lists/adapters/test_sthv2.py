import json

import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.sthv2 import read

LABELS = {"Putting something on a surface": "1", "Holding something": "0"}
ENTRY = {
    "id": "78687",
    "label": "holding potato",
    "template": "Holding [something]",
    "placeholders": ["potato"],
}


@pytest.fixture
def write(tmp_path):
    def write(entries, labels=LABELS, prefix="something-something-v2-"):
        (tmp_path / f"{prefix}labels.json").write_text(json.dumps(labels))
        (tmp_path / f"{prefix}validation.json").write_text(json.dumps(entries))
        (tmp_path / f"{prefix}test.json").write_text(json.dumps([{"id": "1420"}]))
        return tmp_path

    return write


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_the_label_is_that_of_the_template_without_brackets(write, prefix):
    other = {**ENTRY, "id": 42326, "template": "Putting [something] on [a surface]"}
    table = read(write([ENTRY, other], prefix=prefix), split="val", options={})
    assert table["clip_id"].tolist() == ["78687", "42326"]
    assert table["video"].tolist() == ["78687.webm", "42326.webm"]
    assert table["label"].tolist() == [0, 1]
    assert table["label_name"][1] == "Putting something on a surface"
    assert table["caption"][0] == "holding potato"


def test_test_has_no_labels(write):
    table = read(write([ENTRY]), split="test", options={})
    assert table["clip_id"].tolist() == ["1420"]
    assert table["label"].isna().all()


@pytest.mark.parametrize(
    ("entry", "labels", "message"),
    [
        ({**ENTRY, "template": "Eating [something]"}, LABELS, "row 1: class 'Eating something'"),
        ({"id": "1"}, LABELS, "entry 1: template: str wanted, nothing found"),
        (ENTRY, ["Holding something"], "labels.json: a mapping of templates to numbers wanted"),
        (ENTRY, {"Holding something": "x"}, "row Holding something: label 'x' is not a number"),
        (ENTRY, {"Holding something": "0.5"}, "label '0.5' is not a whole number"),
    ],
)
def test_malformed_files(write, entry, labels, message):
    with pytest.raises(UserError) as caught:
        read(write([entry], labels), split="val", options={})
    assert message in str(caught.value)
