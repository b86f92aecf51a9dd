"""The script of docs/latent_video_transformer.md, run against a stand-in for the published code."""

import json
import subprocess
import sys

import pytest

from reelpack.lvt.published.detectron2 import PUBLISHED as NAMES
from reelpack.lvt.published.detectron2 import list_pack_videos
from reelpack.packs.lvt_codes import LvtCodes
from tests.lvt.published.test_detectron2 import draw
from tests.packs.samples import ONE, context, entry
from tests.support.helpers import ROOT

CLONE = {
    "vidgen/data.py": """
class DatasetCatalog:
    _REGISTERED = {"bair_train": None, "prdvqvae_train": None}

    @staticmethod
    def register(name, function):
        assert name not in DatasetCatalog._REGISTERED
        DatasetCatalog._REGISTERED[name] = function


class Metadata:
    def set(self, root):
        self.root = root


class MetadataCatalog:
    _NAME_TO_META = {}

    @staticmethod
    def get(name):
        return MetadataCatalog._NAME_TO_META.setdefault(name, Metadata())
""",
    "vidgen/utils/lables.py": 'KINETICS_LABEL_IDX = {"abseiling": 3}\n',
    "vidgen/engine.py": """
import argparse


def default_argument_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-gpus", type=int, default=1)
    parser.add_argument("--dist-url")
    return parser


def launch(main, num_gpus, dist_url, args):
    main(*args)
""",
    "tools/train_net.py": """
import json
from vidgen.data import DatasetCatalog, MetadataCatalog


def main(args):
    lists = DatasetCatalog._REGISTERED
    names = ("bair_train", "bair_train_seq", "kdvqvae_test")
    print(json.dumps({"gpus": args.num_gpus, "names": sorted(lists)} | {n: lists[n]() for n in names}))
""",
}


@pytest.fixture
def script():
    text = (ROOT / "docs" / "latent_video_transformer.md").read_text()
    (code,) = [part.split("```")[0] for part in text.split("```python\n")[1:] if "LVT" in part]
    return code


def test_the_documented_script_gives_packs_to_the_published_training(tmp_path, script):
    for name, text in CLONE.items():
        path = tmp_path / "lvt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "reelpack").mkdir()
    (tmp_path / "reelpack" / "scripts").symlink_to(ROOT / "scripts")
    results = tmp_path / "reelpack" / "results"
    draw(results / "bair/train/packs/bair_png_64/frames/traj_0_to_255/1", ["0.png", "1.png"])
    codes = results / "kinetics600/test/packs/lvt_codes_kinetics600"
    codes.mkdir(parents=True)
    place, form = context(ONE, settings={"class_folders": True}), LvtCodes()
    video = entry("test/abseiling/b", 0, variants=ONE, shape=(16, 4, 4, 4))
    form.write(codes, [form.store(video, place)], place)

    assert script.count("/path/to/") == 2
    start = tmp_path / "train_published.py"
    start.write_text(script.replace("/path/to", str(tmp_path)))
    command = [sys.executable, start, "--num-gpus", "2"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    given = json.loads(run.stdout)
    assert given["gpus"] == 2
    of_codes = {
        f"{name}_{split}" for name in ("kdvqvae", "prdvqvae") for split in ("train", "test")
    }
    assert given["names"] == sorted(set(NAMES) | of_codes)
    assert len(given["bair_train"]) == 2
    assert given["bair_train_seq"][0]["image_names"] == ["0.png", "1.png"]
    assert given["kdvqvae_test"] == list_pack_videos(codes, classes={"abseiling": 3})
