"""Video transformers from clips to samples: what runs, what runs again, imports, kills."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelpack.encoders import vqvae
from reelpack.lvt.published import transformer_checkpoints, vqvae_checkpoints
from reelpack.lvt.transformer import model_files
from tests.support.clips import write_clip
from tests.support.project import CONFIG, Project, sha256

pytestmark = pytest.mark.slow

CLIPS = {"train": 4, "test": 2}
SIZES = {
    "codebooks": 2,
    "codes": 16,
    "stride": [4, 1, 1],
    "kernel": [3, 1, 1],
    "block": [1, 8, 8],
    "embedding": 6,
    "width": 12,
    "head_width": 4,
    "encoder_heads": [2],
    "decoder_heads": [2],
}
VQVAE = CONFIG["models"]["toy"] | {
    "dataset": "birds",
    "split": "train",
    "architecture": {
        "filters": 8,
        "residual_channels": 4,
        "layers": 1,
        "codebooks": 2,
        "codes": 16,
    },
}
CARD = {
    "description": "small",
    "dataset": "birds",
    "split": "train",
    "held_out": "test",
    "recipe": "lvt_toy",
    "architecture": SIZES,
    "training": {"steps": 60, "frames": 4, "batch": 2, "checkpoint_every": 2},
    "samples": {"clips": 2, "primed": 2, "length": 4, "samples": 2},
}
SAMPLES = "results/birds/test/samples/vt"
MODEL = "resources/transformers/birds/vt/model.safetensors"
ONE_SPLIT = ("download_shard", "trim_shard", "extract_frames", "crop_frames", "encode_shard")


def make(folder: Path, *, in_all: bool = True) -> Project:
    """Write a project with one dataset, whose list has two splits of one shard."""
    project = Project.bare(folder)
    rows = ["path,split"]
    for split, count in CLIPS.items():
        for number in range(count):
            path = folder / "clips" / split / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, frames=30 + 5 * number, width=48, height=32)
            rows.append(f"{split}/{number}.mp4,{split}")
    (folder / "clips" / "birds.csv").write_text("\n".join(rows) + "\n")
    birds = {"videos": "clips/birds.csv", "shards": dict.fromkeys(CLIPS, 1), "in_all": in_all}
    project.write_config(
        {
            "datasets": {"birds": {**birds, "recipes": ["lvt_toy"], "transformers": ["vt"]}},
            "models": {"toy": VQVAE},
            "recipes": {"lvt_toy": CONFIG["recipes"]["lvt_toy"]},
            "transformers": {"vt": CARD},
        }
    )
    return project


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, built once by its dataset's name; cases work on copies."""
    project = make(tmp_path_factory.mktemp("birds") / "project", in_all=False)
    assert not project.plan("all")
    planned = project.plan("birds")
    jobs = project.build("birds")
    assert jobs == planned
    assert {rule: jobs[rule] for rule in ONE_SPLIT} == dict.fromkeys(ONE_SPLIT, 2)
    trained = ("train_vqvae", "train_transformer", "generate_videos")
    assert {rule: jobs[rule] for rule in trained} == dict.fromkeys(trained, 1)
    return project


@pytest.fixture
def project(birds: Project, tmp_path: Path) -> Project:
    return birds.copy(tmp_path / "project")


def files(project: Project, place: str, *endings: str) -> dict[str, str]:
    """SHA-256 of the files below a folder, by path."""
    folder = project.folder / place
    found = sorted(path for path in folder.rglob("*") if path.suffix in endings)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in found}


def codes(project: Project) -> dict[str, str]:
    return files(project, "results/birds", ".npy")


def samples(project: Project) -> dict[str, str]:
    return files(project, SAMPLES, ".png", ".csv", ".mp4")


def test_from_clips_to_samples(birds: Project) -> None:
    with (birds.folder / SAMPLES / "samples.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["clip_id"], row["sample"]) for row in rows] == [
        *(("test/0", "0"), ("test/0", "1"), ("test/1", "0"), ("test/1", "1"))
    ]
    pictures = [path for path in samples(birds) if path.endswith("/3.png")]
    assert len(pictures) == 4
    assert all(path.startswith("birds_test_seq/video_") for path in pictures)
    metrics = (birds.folder / MODEL).with_name("metrics.csv").read_text().splitlines()
    assert metrics[-1].split(",")[3], "held-out videos were measured"
    assert birds.nothing_to_do("birds")


def test_only_what_a_change_concerns_runs_again(project: Project) -> None:
    project.configure("transformers.vt.description", "smaller")
    assert project.nothing_to_do("birds")
    before = samples(project)
    project.configure("transformers.vt.samples.seed", 1)
    assert project.plan("birds") == {"generate_videos": 1}
    project.build("birds")
    after = samples(project)
    assert after.keys() == before.keys()
    primed = [path for path in after if path.endswith(("/0.png", "/1.png"))]
    assert primed
    assert all(after[path] == before[path] for path in primed)
    assert after["samples.png"] != before["samples.png"]
    project.configure("transformers.vt.training.learning_rate", 0.001)
    assert project.plan("birds") == {"train_transformer": 1, "generate_videos": 1}


def test_all_builds_what_is_not_left_out(project: Project) -> None:
    (project.folder / SAMPLES / "samples.csv").unlink()
    assert not project.plan("all")
    project.configure("datasets.birds.in_all", True)
    assert project.plan("all") == {"generate_videos": 1}


def test_published_checkpoints_take_the_place_of_training(birds: Project, tmp_path: Path) -> None:
    pretrained = tmp_path / "pretrained"
    trained = birds.folder / "resources/models/birds/toy/model.safetensors"
    vqvae_checkpoints.save_published(vqvae.load_model(trained), pretrained / "toy")
    transformer = model_files.load_model(birds.folder / MODEL)
    transformer_checkpoints.save_published(transformer, pretrained / "vt/netG/model_final.pth")
    project = make(tmp_path / "project")
    project.configure("models.toy.checkpoint", str(pretrained / "toy"))
    project.configure("transformers.vt.checkpoint", str(pretrained / "vt/netG/model_final.pth"))
    jobs = project.build()
    assert (jobs["import_vqvae"], jobs["import_transformer"]) == (1, 1)
    assert not {"train_vqvae", "train_transformer"} & jobs.keys()
    assert codes(project) == codes(birds)
    assert samples(project) == samples(birds)
    assert project.nothing_to_do()


def test_a_killed_training_goes_on_to_the_same_samples(birds: Project, tmp_path: Path) -> None:
    project = birds.copy(tmp_path / "project")
    # Long enough to be met in the middle.
    project.configure("transformers.vt.training", {**CARD["training"], "steps": 400})
    whole = project.copy(tmp_path / "whole")
    whole.build("birds")
    command = [sys.executable, "scripts/run.py", "--cores", "2", "birds"]
    run = subprocess.Popen(command, cwd=project.folder, start_new_session=True)
    journal = (project.folder / MODEL).parent / "journal"
    old = set(journal.glob("*"))
    deadline = time.monotonic() + 120
    while not set(journal.glob("*/checkpoint.pt")) - {path / "checkpoint.pt" for path in old}:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (project.folder / MODEL).is_file(), "the training was over before the kill"
    subprocess.run(command, cwd=project.folder, check=True)
    assert samples(project) == samples(whole)
    assert sha256(project.folder / MODEL) == sha256(whole.folder / MODEL)
