from pathlib import Path

import pandas as pd
import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.table import COLUMNS, drop_endings, make_clip_table, mark_unsafe

PATH = Path("list.txt")


def table(names, **columns):
    video = pd.Series(names, index=range(1, len(names) + 1), dtype="str")
    return make_clip_table({"video": video, **columns}, split="train", path=PATH)


def test_columns_and_types_are_the_same_for_all():
    found = table(["a/b.c.mp4", "d"])
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        name: str(pd.Series(dtype=dtype).dtype) for name, dtype in COLUMNS.items()
    }
    assert found["clip_id"].tolist() == ["a/b.c", "d"]
    assert found["split"].tolist() == ["train", "train"]
    assert found.drop(columns=["clip_id", "video", "split"]).isna().all().all()


def test_the_first_of_clips_with_one_id_is_kept():
    label = pd.Series([5, 6, 7], index=[1, 2, 3])
    assert table(["a.avi", "a.mp4", "b.avi"], label=label)["label"].tolist() == [5, 7]


def test_the_first_caption_stands_alone_too():
    captions = pd.Series([["x", "y"], ["z"]], index=[1, 2])
    assert table(["a", "b"], captions=captions)["caption"].tolist() == ["x", "z"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/a", "a/", "a//b", "a/../b", "a/.", "a\nb", "a\\b", "C:a", "\u00e9" * 128],
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(UserError, match=r"row 2: video .* cannot be a path below a folder"):
        table(["fine.mp4", name])


@pytest.mark.parametrize("name", ["-a", "a b", "it's (1)/x.mp4", "...a", "\u00e9" * 127, "a" * 255])
def test_odd_names_that_are_fine(name):
    assert not mark_unsafe(pd.Series([name])).any()


def test_a_missing_name_is_refused():
    assert mark_unsafe(pd.Series([None, "a"], dtype="str")).tolist() == [True, False]


def test_no_clips_at_all():
    with pytest.raises(UserError, match=r"list.txt: no clips of split 'train'"):
        table([])


def test_only_the_last_ending_goes():
    names = pd.Series(["a.b/c", "a.b/c.d.e", "x/.hidden", "noending"])
    assert drop_endings(names).tolist() == ["a.b/c", "a.b/c.d", "x/.hidden", "noending"]
