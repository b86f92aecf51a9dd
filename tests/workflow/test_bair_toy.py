"""From a made-up BAIR to generated frames: the target `bair_toy`, from nothing, as newcomers run it."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reelpack.demo.bair_toy import FILES, SEEDS, make_push
from reelpack.encoders.vqvae import VQVAEEncoder
from reelpack.packs.verify import verify_pack
from tests.support.helpers import ROOT
from tests.support.project import Project, copy

pytestmark = pytest.mark.slow

# Folders of the sequences, as the published code names them, and the seeds they are drawn from.
SEQUENCES = {
    split: {
        f"traj_{first}_to_{last}/{number - first + 1}": SEEDS[split] + number
        for first, last in files
        for number in range(first, last + 1)
    }
    for split, files in FILES.items()
}
SAMPLES = "results/bair_toy/train/samples/bair_toy"
PRIMED, LENGTH = 5, 16


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.bare(tmp_path_factory.mktemp("toy") / "project")
    copy(ROOT / "config.yaml", project.folder / "config.yaml")
    planned = project.plan("bair_toy")
    assert project.build("bair_toy") == planned
    return project


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """Peak signal to noise ratio of uint8 pictures, decibels."""
    error = np.mean((found.astype(float) - true) ** 2)
    return float(10 * np.log10(255**2 / error))


def pictures(folder: Path) -> np.ndarray:
    """uint8[T, H, W, 3] of a folder's `0.png`, `1.png` ..."""
    count = len(list(folder.glob("*.png")))
    return np.stack([np.asarray(Image.open(folder / f"{n}.png")) for n in range(count)])


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_png_tree_is_the_published_one(toy: Project, split: str) -> None:
    frames = toy.folder / f"results/bair_toy/{split}/packs/bair_png_64/frames"
    found = {path.parent.relative_to(frames).as_posix() for path in frames.rglob("*.png")}
    assert found == set(SEQUENCES[split])
    for name, seed in SEQUENCES[split].items():
        np.testing.assert_array_equal(pictures(frames / name), make_push(seed).aux1)


def test_packs_are_whole(toy: Project) -> None:
    packs = sorted(toy.folder.glob("results/bair_toy/*/packs/*"))
    assert len(packs) == 4
    for pack in packs:
        assert verify_pack(pack).differences == (), pack


def test_the_vqvae_learns_to_draw(toy: Project) -> None:
    folder = toy.folder / "resources/models/bair_toy/vqvae_bair_toy"
    losses = [float(row["reconstruction"]) for row in table(folder / "metrics.csv")]
    assert np.mean(losses[-20:]) < 0.2 * np.mean(losses[:20])
    codec = VQVAEEncoder(folder / "model.safetensors", device="cpu")
    for split, least in (("train", 28), ("test", 26)):
        for seed in SEQUENCES[split].values():
            frames = make_push(seed).aux1[:LENGTH]
            assert psnr(codec.decode(codec.encode(frames)), frames) > least, seed


def test_the_transformer_learns_by_heart(toy: Project) -> None:
    rows = table(toy.folder / "resources/transformers/bair_toy/bair_toy/metrics.csv")
    bits = [float(row["bits_per_dim"]) for row in rows]
    assert np.mean(bits[-20:]) < 0.05 * bits[0]


def test_sequences_are_drawn_anew_from_their_first_frames(toy: Project) -> None:
    rows = table(toy.folder / SAMPLES / "samples.csv")
    assert [row["clip_id"] for row in rows] == [f"train/{name}" for name in SEQUENCES["train"]]
    equal = [float(row["equal_codes"]) for row in rows]
    assert np.mean(equal) > 0.95, equal
    for number, seed in enumerate(SEQUENCES["train"].values()):
        folder = toy.folder / SAMPLES / f"bair_toy_train_seq/video_{number}/sample_0"
        true, found = make_push(seed).aux1[:LENGTH], pictures(folder)
        assert psnr(found[:PRIMED], true[:PRIMED]) > 28
        assert psnr(found[PRIMED:], true[PRIMED:]) > 25
        # Repeating the last given frame is no way to get there.
        still = np.broadcast_to(found[PRIMED - 1], true[PRIMED:].shape)
        assert psnr(found[PRIMED:], true[PRIMED:]) > psnr(still, true[PRIMED:]) + 2


def test_samples_are_videos_too(toy: Project) -> None:
    videos = sorted((toy.folder / SAMPLES).rglob("*.mp4"))
    assert len(videos) == len(SEQUENCES["train"])
    for path in videos:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == LENGTH
        assert psnr(np.stack(frames), pictures(path.parent)) > 28


def test_nothing_is_done_twice(toy: Project) -> None:
    assert toy.nothing_to_do("bair_toy")
