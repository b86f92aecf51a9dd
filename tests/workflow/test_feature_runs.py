"""Feature recipes from clips to HERO's packs, each alone and with one decode for both."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from reelpack.encoders import s3d
from reelpack.packs.verify import verify_pack
from tests.support.clips import write_clip
from tests.support.project import Project, sha256

pytestmark = pytest.mark.slow

MOTION = {"windows": {"clip_len": "3/2", "fps": 30, "frames": 32}, "shorter_side": 224}
RECIPES = {
    "halves": {"extends": "hero_s3d"},
    "twos": {"extends": "hero_s3d", "frames": {"windows": {"clip_len": 2}}},
}
ALONE = {
    name: {
        "frames": {**MOTION, "windows": {**MOTION["windows"], "clip_len": clip_len}},
        "crop": {"size": 224},
        "encoder": {"name": "s3d", "weights": "s3d"},
        "pack": {"format": "hero_npz"},
    }
    for name, clip_len in (("halves", 1.5), ("twos", "2"))
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    network = s3d.network("s3d")
    for parameter in network.parameters():
        if parameter.ndim > 1:
            # Else activations die away over the layers, and all clips look the same.
            torch.nn.init.kaiming_normal_(parameter)
    path = tmp_path_factory.mktemp("weights") / "s3d.pth"
    torch.save(network.state_dict(), path)
    return path


def make(folder: Path, weights: Path, recipes: dict) -> Project:
    project = Project.make(folder, weights=False)
    videos = folder / "clips/tv"
    (videos / "friends").mkdir(parents=True)
    (videos / "house").mkdir()
    write_clip(videos / "friends/s01.mp4", frames=20)
    write_clip(videos / "house/s01.mkv", frames=44)
    write_clip(videos / "house/s02.mp4", frames=8, width=48, height=64)
    (videos / "broken.mp4").write_bytes(b"no video at all")
    project.write_config(
        {
            "datasets": {"tv": {"videos": "clips/tv", "shards": 2, "recipes": sorted(recipes)}},
            "recipes": recipes,
            "weights": {"s3d": {"path": str(weights), "sha256": sha256(weights)}},
            "max_failed": 0.5,
        }
    )
    return project


def test_features_from_clips_to_packs(tmp_path: Path, weights: Path) -> None:
    project = make(tmp_path / "together", weights, RECIPES)
    jobs = project.build()
    assert {rule: jobs[rule] for rule in ("encode_group", "encode_shard", "write_pack")} == {
        "encode_group": 2,
        "encode_shard": 4,
        "write_pack": 2,
    }
    logs = sorted((project.folder / "logs/encode_shard").rglob("*.log"))
    begun = [
        line for log in logs for line in log.read_text().splitlines() if "found finished" in line
    ]
    assert len(begun) == 4
    assert all(line.split()[1] == line.split()[3] for line in begun), begun
    packs = project.folder / "results/tv/all/packs"
    for name, rows in (("halves", [1, 2, 1]), ("twos", [1, 1, 1])):
        assert verify_pack(packs / name).differences == ()
        with (packs / name / "mil-nce_info.csv").open(newline="") as file:
            listed = [tuple(row.values()) for row in csv.DictReader(file)]
        assert [video for video, _ in listed] == [
            "friends/s01.mp4",
            "house/s01.mkv",
            "house/s02.mp4",
        ]
        found = [np.load(packs / name / path)["features"] for _, path in listed]
        assert [(array.dtype.str, array.shape) for array in found] == [
            ("<f2", (count, 1024)) for count in rows
        ]
        assert all(array.std() > 0 for array in found)
        failures = (packs / name / "failures.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in failures[1:]] == ["broken"]
    assert project.nothing_to_do()

    separate = make(tmp_path / "alone", weights, ALONE)
    assert "encode_group" not in separate.build()
    features = {path: digest for path, digest in project.packs().items() if path.endswith(".npz")}
    assert len(features) == 6
    assert features.items() <= separate.packs().items()

    # A third recipe finds nobody to share with, and the finished ones stay as they are.
    third = {"extends": "hero_s3d", "pack": {"dtype": "float32"}}
    project.configure("recipes.singles", third)
    project.configure("datasets.tv.recipes", [*RECIPES, "singles"])
    assert project.build() == {"encode_group": 2, "encode_shard": 2, "write_pack": 1}
    assert project.nothing_to_do()
    wide = np.load(packs / "singles/mil-nce_features/s02.npz")["features"]
    halves = np.load(packs / "halves/mil-nce_features/s02.npz")["features"]
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide.astype(np.float16), halves)
