"""Every pack format through the workflow, of frames and of tokens, in one project and one run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from reelpack.packs.verify import verify_pack
from tests.support.project import CONFIG, KITES, Project, run

pytestmark = pytest.mark.slow

VERIFY = (sys.executable, "scripts/verify_pack.py")
SEVERAL = ("webdataset", "parquet", "hdf5")
FRAMES: dict[str, Any] = {
    "png": {"format": "png_folders"},
    "jpeg": {"format": "frame_folders", "image": "jpeg", "quality": 80},
    **{f"frames_{name}": {"format": name} for name in SEVERAL},
}
TOKENS: dict[str, Any] = {f"tokens_{name}": {"format": name} for name in SEVERAL}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose recipes all share one set of frames."""
    project = Project.make(tmp_path_factory.mktemp("packed") / "project", weights=False)
    frames = {"fps": 4, "square": 32}
    recipes: dict[str, Any] = {
        name: {"frames": frames, "pack": pack} for name, pack in FRAMES.items()
    }
    for name in SEVERAL[:2]:
        recipes[f"frames_{name}"]["crop"] = {"size": 16, "hflip": [False, True]}
    encoder = {"name": "vqvae", "model": "toy"}
    for name, pack in TOKENS.items():
        recipes[name] = {"mode": "staged", "frames": frames, "encoder": encoder, "pack": pack}
    config = project.config
    toy = CONFIG["models"]["toy"]
    project.write_config(
        {
            **config,
            "datasets": {"kites": {**config["datasets"]["kites"], "recipes": sorted(recipes)}},
            "models": {"toy": {**toy, "frames": frames, "crop": None}},
            "recipes": recipes,
            "frames_mode": "streamed",
        }
    )
    return project


def test_all_formats_in_one_run_and_nothing_twice(packed: Project) -> None:
    jobs = packed.build()
    # A model learns from the whole frames, so they are staged; two recipes cut theirs in one pass.
    assert (jobs["extract_frames"], jobs["encode_images"]) == (3, 6)
    assert "crop_frames" not in jobs
    assert (jobs["encode_shard"], jobs["write_pack"]) == (9, 8)
    for name in [*FRAMES, *TOKENS]:
        found = verify_pack(pack_of(packed, name))
        assert found.differences == (), name
        assert found.entries == len(KITES)
    assert packed.nothing_to_do()


def pack_of(project: Project, recipe: str) -> Path:
    return project.folder / f"results/kites/all/packs/{recipe}"


def test_damaged_pictures_and_another_quality_write_two_packs_again(packed: Project) -> None:
    pack = pack_of(packed, "png")
    picture = pack / "frames/kites/kite1/2.png"
    data = picture.read_bytes()
    picture.write_bytes(data[:-1])
    (pack / "frames/kites/kite2/1.png").unlink()
    command = [*VERIFY, str(pack)]
    found = run(command, cwd=packed.folder)
    assert found.returncode == 1
    assert "frames/kites/kite1/2.png: changed" in found.text
    assert "frames/kites/kite2/1.png: missing" in found.text
    run([*command, "--mend"], cwd=packed.folder)
    packed.configure("recipes.jpeg.pack.quality", 81)
    assert packed.build() == {"write_pack": 2}
    assert picture.read_bytes() == data
    assert run(command, cwd=packed.folder).ok()
