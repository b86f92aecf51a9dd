"""Three ways to trim one list: the same packs from windows as from copied packets, and files that stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from reelpack.packs.vimpac_lmdb import VimpacTokens
from reelpack.video.index import index_video
from tests.support.clips import write_clip
from tests.support.project import CONFIG, Project, sha256

pytestmark = pytest.mark.slow

WAYS = ("virtual", "keyframe", "exact")
ROWS = [
    ("long.mp4", "$(touch gone)/-a b", 0.0, 1.0),
    ("long.mp4", "between", 0.507, 1.333),
    ("long.mp4", "behind", 1.37, 99.0),
    ("turned.mkv", "turned", 0.21, 1.01),
    ("turned.mkv", "whole", None, None),
    ("bad.avi", "bad", 0.2, 0.8),
]
IDS = [row[1] for row in ROWS]


@pytest.fixture
def trims(new_project: Callable[..., Project]) -> Project:
    """A project with the list above as three datasets."""
    project = new_project()
    folder = project.folder / "clips/trims"
    folder.mkdir()
    write_clip(folder / "long.mp4", frames=60, audio_seconds=2.4)
    write_clip(folder / "turned.mkv", frames=40, width=96, clockwise=90)
    write_clip(folder / "bad.avi", frames=30)
    frame = pd.DataFrame(ROWS, columns=["path", "clip_id", "start", "end"])
    frame.to_csv(folder / "list.csv", index=False)
    common = {"videos": "clips/trims/list.csv", "recipes": ["dalle_toy"]}
    config = {**CONFIG, "weights": project.config["weights"]}
    config["datasets"] = {way: {**common, "trim": way} for way in WAYS}
    config["recipes"] = {"dalle_toy": CONFIG["recipes"]["dalle_toy"]}
    del config["models"]
    project.write_config(config)
    return project


def pack(project: Project, way: str) -> Path:
    return project.folder / f"results/{way}/all/packs/dalle_toy"


def tokens(project: Project, way: str) -> dict[str, list]:
    data = VimpacTokens(pack(project, way) / f"dalle_{way}_all_fps2_hflip0_32center32")
    return {clip_id: tokens.tolist() for clip_id, tokens, _ in (data[n] for n in range(len(data)))}


def test_three_ways(trims: Project) -> None:
    trims.build()
    found = {way: tokens(trims, way) for way in WAYS}
    good = sorted(set(IDS) - {"bad"})
    assert sorted(found["virtual"]) == sorted(found["exact"]) == sorted(IDS)
    assert sorted(found["keyframe"]) == good
    assert found["keyframe"] == {clip_id: found["virtual"][clip_id] for clip_id in good}
    for clip_id in IDS:
        assert len(found["exact"][clip_id]) == len(found["virtual"][clip_id]) > 0
    failures = pd.read_csv(pack(trims, "keyframe") / "failures.csv")
    assert failures[["clip_id", "stage", "class"]].to_numpy().tolist() == [
        ["bad", "trim_shard", "trim"]
    ]
    # Files are there for windows alone, and nowhere else.
    clips = trims.folder / "resources/clips"
    cut = sorted(set(IDS) - {"whole"})
    assert not (clips / "virtual").exists()
    assert files(clips / "exact") == [f"{clip_id}.mp4" for clip_id in cut]
    assert files(clips / "keyframe") == [f"{clip_id}.mp4" for clip_id in cut if clip_id != "bad"]
    assert not (trims.folder / "gone").exists()
    assert len(index_video(clips / "exact/between.mp4").pts) == 21

    gone = clips / "exact/between.mp4"
    before, packs = sha256(gone), trims.packs()
    gone.unlink()
    assert trims.build("--forcerun", "trim_shard", "--", "exact")["trim_shard"] == 1
    assert sha256(gone) == before
    assert trims.packs() == packs

    trims.configure("datasets.exact.trim", None)
    assert trims.plan() == {"trim_shard": 1, "encode_shard": 1, "write_pack": 1}


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found)
