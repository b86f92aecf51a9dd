import pytest

from reelpack.config.schema import load_yaml
from reelpack.core.errors import UserError
from reelpack.lists.adapters import read, read_split
from tests.support.helpers import ROOT


def card(name):
    return load_yaml(ROOT / "datasets" / f"{name}.yaml")


def test_ucf101s_six_lists_are_merged_first_wins(tmp_path):
    (tmp_path / "classInd.txt").write_text("1 A\n2 B\n")
    for number in (1, 2, 3):
        (tmp_path / f"trainlist0{number}.txt").write_text(f"B/v{number}.avi 2\nA/v0.avi 1\n")
        (tmp_path / f"testlist0{number}.txt").write_text(f"A/v0.mp4\nB/v{number % 3 + 1}.avi\n")
    table = read_split(card("ucf101"), tmp_path, split="train_val")
    # train_1, test_1, train_2 ...: test_1's A/v0.mp4 has an id that train_1's A/v0.avi took.
    assert table["video"].tolist() == ["B/v1.avi", "A/v0.avi", "B/v2.avi", "B/v3.avi"]
    assert table["label"].tolist() == [1, 0, 1, 1]
    assert table["split"].unique().tolist() == ["train_val"]
    assert table.index.tolist() == [0, 1, 2, 3]


def test_hmdb51s_merge_leaves_out_what_no_split_uses(tmp_path):
    for number, uses in {1: "1200", 2: "1020", 3: "2100"}.items():
        lines = [f"{name}.avi {use}\n" for name, use in zip("abcd", uses, strict=True)]
        (tmp_path / f"run_test_split{number}.txt").write_text("".join(lines))
    table = read_split(card("hmdb51"), tmp_path, split="train_val")
    assert table["clip_id"].tolist() == ["run/a", "run/b", "run/c"]


def test_diving48s_val_is_the_test_list(tmp_path):
    (tmp_path / "Diving48_V2_train.json").write_text('[{"vid_name": "a_0", "label": 3}]')
    (tmp_path / "Diving48_V2_test.json").write_text('[{"vid_name": "b_0", "label": 4}]')
    val = read_split(card("diving48"), tmp_path, split="val")
    assert val[["clip_id", "label", "split"]].values.tolist() == [["b_0", 4, "val"]]
    both = read_split(card("diving48"), tmp_path, split="train_val")
    assert both["clip_id"].tolist() == ["a_0", "b_0"]


def test_the_kinetics_cards_differ_in_their_names(tmp_path):
    (tmp_path / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split,is_cc\nair drumming,--nQbRBEz2s,104,114,train,0\n"
    )
    names = [
        read_split(card(name), tmp_path, split="train")["video"][0]
        for name in ("kinetics400", "kinetics600")
    ]
    assert names == [
        "air_drumming/--nQbRBEz2s_000104_000114.mp4",
        "air drumming/--nQbRBEz2s_104_10.mp4",
    ]


def test_an_unknown_adapter_lists_those_there_are(tmp_path):
    with pytest.raises(UserError, match="no adapter 'ava'; one of: bair, cc3m"):
        read("ava", tmp_path, split="train")


def test_selected_splits_exist_in_their_adapters(tmp_path):
    """An adapter that knows the split complains of files; one that does not, of the split."""
    for path in sorted((ROOT / "datasets").glob("*.yaml")):
        own = load_yaml(path)
        if "annotations" not in own:
            continue
        for split in own["splits"]:
            with pytest.raises(UserError) as caught:
                read_split(own, tmp_path, split=split)
            assert "needs" in str(caught.value), f"{path.stem} {split}: {caught.value}"
