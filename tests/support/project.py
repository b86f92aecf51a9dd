"""A small project to run the real workflow on: a copy of this checkout with its own config and clips.

Two datasets: `kites`, a list of tiny clips in three shards with a staged and a streamed recipe of one
small model that learns from shard 00000 alone, and `waves`, a folder in two shards one recipe of
which needs a weights file and the other that model.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from reelpack.lists.manifest import choose_shard
from tests.support.clips import write_clip
from tests.support.helpers import ROOT

CHECKOUT = (
    *("Snakefile", "rules", "scripts", "profiles", "datasets", "recipes", "models", "transformers"),
    *("weights.tsv", "envs", "slurm", "reelpack"),
)
TARGETS = {"all", "kites", "waves", "ponds", "bair_toy", "birds"}
KITES = tuple(f"kite{number}" for number in range(8))
KITE_SHARDS = 3
BAD = "broken"
WAVES = ("high/a", "high/b", "low/c")
CONFIG: dict[str, Any] = {
    "datasets": {
        "kites": {
            "videos": "clips/kites.csv",
            "shards": KITE_SHARDS,
            "recipes": ["lvt_toy", "vimpac_toy"],
        },
        "waves": {"videos": "clips/waves", "shards": 2, "recipes": ["dalle_toy", "vimpac_toy"]},
    },
    "models": {
        "toy": {
            "dataset": "kites",
            "split": "all",
            "shards": 1,
            "frames": {"fps": 4, "shorter_side": 32},
            "crop": {"size": 32},
            "architecture": {"filters": 8, "residual_channels": 4, "layers": 1, "codebooks": 1},
            "training": {"steps": 6, "batch": 4, "checkpoint_every": 2},
        }
    },
    "recipes": {
        "lvt_toy": {
            "mode": "staged",
            "frames": {"fps": 4, "shorter_side": 32},
            "crop": {"size": 32},
            "encoder": {"name": "vqvae", "model": "toy"},
            "pack": {"format": "lvt_codes"},
        },
        "vimpac_toy": {
            "frames": {"fps": 2, "shorter_side": 40},
            "crop": {"size": 32, "hflip": [False, True]},
            "encoder": {"name": "vqvae", "model": "toy"},
            "pack": {"format": "vimpac_lmdb"},
        },
        "dalle_toy": {
            "frames": {"fps": 2, "shorter_side": 32},
            "crop": {"size": 32},
            "encoder": {"name": "dalle", "weights": "dalle_encoder"},
            "pack": {"format": "vimpac_lmdb"},
        },
    },
    "weights": {"dalle_encoder": {"path": "weights/encoder.pkl"}},
    "max_failed": 0.25,
}


def shard_of_kite(name: str) -> int:
    """Shard of a kite."""
    return choose_shard(f"kites/{name}.mp4", KITE_SHARDS)


def kite_in_shard(shard: int) -> str:
    """Return a name for a new kite that falls into a shard."""
    names = (f"new{number}" for number in range(100))
    return next(name for name in names if shard_of_kite(name) == shard)


@cache
def weights_file(seed: int) -> bytes:
    """Return an encoder.pkl with random values; a pickle made later may have other bytes."""
    from tests.support.dalle_weights import random_encoder, write

    with TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.pkl"
        write(random_encoder(seed, filters=16, vocabulary=64), path, zipped=True)
        return path.read_bytes()


class Project:
    """One folder with a checkout, its config, its clips and its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # ---- making and changing -------------------------------------------------------------------

    @classmethod
    def make(cls, folder: Path, *, weights: bool = True) -> Project:
        """Write checkout, config and clips into a new folder."""
        project = cls.bare(folder)
        config = {**CONFIG, "datasets": dict(CONFIG["datasets"])}
        if weights:
            config["weights"] = {"dalle_encoder": project.add_weights(seed=1)}
        else:
            del config["weights"], config["datasets"]["waves"]
        project.write_config(config)
        for number, name in enumerate(KITES):
            project.add_kite_video(name, frames=20 + 5 * number)
        project.kite_path(BAD).write_bytes(b"no video at all")
        project.write_list([*KITES[:4], BAD, *KITES[4:]])
        for number, name in enumerate(WAVES):
            path = folder / f"clips/waves/{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, frames=25 + number, width=48, height=64)
        return project

    @classmethod
    def bare(cls, folder: Path) -> Project:
        """Write the checkout alone into a new folder."""
        folder.mkdir(parents=True)
        for name in CHECKOUT:
            copy(ROOT / name, folder / name)
        return cls(folder)

    def copy(self, folder: Path) -> Project:
        """Copy everything with times and hard links, as `cp -a` does."""
        copy(self.folder, folder)
        return Project(folder)

    @property
    def config(self) -> dict[str, Any]:
        """What config.yaml says."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.yaml."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def configure(self, path: str, value: Any) -> None:
        """Set one key of config.yaml, `a.b.c`; None removes it."""
        config = self.config
        *parents, last = path.split(".")
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
        self.write_config(config)

    def kite_path(self, name: str) -> Path:
        """Return the video of a kite."""
        return self.folder / f"clips/kites/{name}.mp4"

    def add_kite_video(self, name: str, *, frames: int) -> None:
        """Write a kite's video."""
        self.kite_path(name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(self.kite_path(name), frames=frames)

    @property
    def kites(self) -> list[str]:
        """The listed kites."""
        lines = (self.folder / "clips/kites.csv").read_text().splitlines()[1:]
        return [line.split(",")[0].removeprefix("kites/").removesuffix(".mp4") for line in lines]

    def write_list(self, names: Iterable[str]) -> None:
        """Write the list of kites."""
        rows = "".join(f"kites/{name}.mp4,3\n" for name in names)
        (self.folder / "clips/kites.csv").write_text(f"path,label\n{rows}")

    def add_weights(self, *, seed: int) -> dict[str, str]:
        """Write an encoder.pkl with random values; return what the config says of it."""
        path = self.folder / "weights/encoder.pkl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(weights_file(seed))
        return {"path": "weights/encoder.pkl", "sha256": sha256(path)}

    # ---- running -------------------------------------------------------------------------------

    def snakemake(self, *arguments: str, cores: int = 2) -> Run:
        """Run Snakemake in the folder."""
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return run(command, cwd=self.folder)

    def plan(self, *targets: str) -> Counter[str]:
        """Jobs per rule that a dry run lists."""
        done = self.snakemake("-n", *targets).ok()
        return planned_jobs(done.text)

    def build(self, *arguments: str, cores: int = 2) -> Counter[str]:
        """Run Snakemake and return the jobs per rule that ran."""
        return finished_jobs(self.snakemake(*arguments, cores=cores).ok().text)

    def nothing_to_do(self, *targets: str) -> bool:
        """Whether a run finds nothing to do."""
        return "Nothing to be done" in self.snakemake(*targets).ok().text

    # ---- results -------------------------------------------------------------------------------

    def measures(self) -> dict[str, str]:
        """SHA-256 of all measures and their pictures, by path."""
        files = sorted((self.folder / "results").glob("*/*/measures/*"))
        return {str(path.relative_to(self.folder)): sha256(path) for path in files}

    def packs(self) -> dict[str, str]:
        """SHA-256 of every file of every pack, by path."""
        files = sorted((self.folder / "results").glob("*/*/packs/**/*"))
        return {str(p.relative_to(self.folder)): sha256(p) for p in files if p.is_file()}


class Run:
    """A finished command."""

    def __init__(self, returncode: int, text: str) -> None:
        self.returncode = returncode
        self.text = text

    def ok(self) -> Run:
        """Return itself; fail the test with the command's output if the command failed."""
        assert self.returncode == 0, self.text
        return self

    def errors(self) -> list[str]:
        """Lines in which a command says what is wrong."""
        return [
            line.strip() for line in self.text.splitlines() if line.strip().startswith("error: ")
        ]


def run(command: list[str], *, cwd: Path, **environment: str) -> Run:
    """Run a command to its end."""
    env = {**os.environ, **environment}
    env.pop("SNAKEMAKE_PROFILE", None)
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    return Run(done.returncode, done.stdout + done.stderr)


def copy(source: Path, target: Path) -> None:
    """Copy with times, links and hard links; without interpreters' caches."""
    if source.is_dir() and not source.is_symlink():
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)
        for cache in target.rglob("__pycache__"):
            shutil.rmtree(cache)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def planned_jobs(text: str) -> Counter[str]:
    """Read Snakemake's table of jobs, targets left out."""
    table = text.split("Job stats:")[1].split("\n\n")[0] if "Job stats:" in text else ""
    rows = re.findall(r"^(\w+)\s+(\d+)$", table, flags=re.MULTILINE)
    return Counter({name: int(n) for name, n in rows if name not in {"total", *TARGETS}})


def finished_jobs(text: str) -> Counter[str]:
    """Count the jobs that Snakemake says it finished, targets left out."""
    names = re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", text, flags=re.MULTILINE)
    return Counter(name for name in names if name not in TARGETS)


def sha256(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
