"""The splits of a dataset in one folder, as VIOLET's trainers want them."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from reelpack.core.errors import DamagedError, UserError
from reelpack.packs.violet_join import join_violet
from tests.packs.frame_samples import WHOLE, frame_entry
from tests.packs.samples import ONE, context, entry, put


@pytest.fixture
def packs(tmp_path) -> list[Path]:
    """Frames and tokens of a training and a validation split."""
    made = []
    for split, names in {"train": "abc", "val": "de"}.items():
        frames = [frame_entry(f"{split}/{name}", n) for n, name in enumerate(names)]
        about = context(WHOLE, dataset="web", split=split, settings={"text": "pretrain"})
        tokens = [entry(f"{split}/{name}", n, variants=ONE) for n, name in enumerate(names)]
        sets = {"violet_frames": (frames, about)}
        sets["violet_vq"] = (tokens, context(ONE, dataset="web", split=split))
        for name, (items, settings) in sets.items():
            made.append(tmp_path / split / name)
            made[-1].parent.mkdir(exist_ok=True)
            put(made[-1], name, items, settings)
    return made


def test_files_of_one_name_become_one(tmp_path, packs):
    names = join_violet(packs, tmp_path / "_data")
    assert names == [
        "img_web.pkl", "img_web_train_0.lineidx", "img_web_train_0.tsv",
        "img_web_train_1.lineidx", "img_web_train_1.tsv", "img_web_val.lineidx",
        "img_web_val.tsv", "txt_web.json", "vq_web.pkl",
    ]  # fmt: skip
    assert names == sorted(path.name for path in (tmp_path / "_data").iterdir())
    texts = json.loads((tmp_path / "_data/txt_web.json").read_text())
    assert {split: list(videos) for split, videos in texts.items()} == {
        "train": ["a", "b", "c"], "val": ["d", "e"],
    }  # fmt: skip
    for name in ("img_web.pkl", "vq_web.pkl"):
        found = pickle.loads((tmp_path / "_data" / name).read_bytes())
        assert list(found) == list("abcde")
    np.testing.assert_array_equal(found["d"], entry("val/d", 0, variants=ONE).arrays["center64"])
    lines = (tmp_path / "_data/img_web_val.tsv").read_bytes()
    assert lines == (packs[2] / "img_web_val.tsv").read_bytes()


def test_mistakes_are_one_line(tmp_path, packs):
    with pytest.raises(UserError, match="not a violet_frames or violet_vq pack"):
        join_violet([tmp_path], tmp_path / "_data")
    with pytest.raises(UserError, match=r"two packs of one split|video a is in another"):
        join_violet([packs[0], packs[0]], tmp_path / "_data")
    with pytest.raises(UserError, match="video a is in another of these packs too"):
        join_violet([packs[1], packs[1]], tmp_path / "_data")
    path = packs[1] / "vq_web.pkl"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedError, match=r"vq_web\.pkl: damaged"):
        join_violet(packs, tmp_path / "_data")
