"""./reelpack: the Python it becomes, the folder it works in, and what each command says of itself."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

from tests.support.helpers import ROOT
from tests.support.project import Project

DOOR = ROOT / "reelpack"
COMMANDS = (
    *("build", "plan", "report", "retry", "verify", "show", "audit"),
    *("check-frames", "recipes", "datasets"),
    *("join-violet", "convert-lvt", "train-transformer", "generate"),
)
# Stands in for a command: says how it was started, and ends as a command may.
SHOWS = "import sys; print(sys.prefix, *sys.argv[1:], sep='\\n'); sys.exit(7)\n"


def call(*command: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """Run a command with no environment active but the one that is asked for."""
    kept = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A Python without any packages."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout without an environment, whose commands say how they were started."""
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(DOOR, folder)
    for name in ("plan", "recipes"):
        (folder / "scripts" / f"{name}.py").write_text(SHOWS)
    return folder


def test_it_lists_its_commands():
    listed = call(DOOR)
    assert listed.returncode == 0
    assert listed.stdout == call(DOOR, "--help").stdout
    for name in COMMANDS:
        (line,) = [row for row in listed.stdout.splitlines() if row.startswith(f"  {name} ")]
        assert len(line.split()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_takes(name):
    told = call(DOOR, name, "--help")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"usage: ./reelpack {name} ")
    example = told.stdout.split("Example:\n")[1].splitlines()
    assert all(line.startswith(f"  ./reelpack {name}") for line in example)


def test_a_mistyped_command_hears_of_the_nearest():
    refused = call(DOOR, "biuld")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: no command 'biuld'; did you mean build?\n"
    assert "one of: build, plan, " in call(DOOR, "xyzzy").stderr


def test_without_an_environment_one_line_says_how_to_make_it(checkout, bare):
    refused = call(bare, "reelpack", "plan", cwd=checkout)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"make -C '{checkout}' .venv/ready" in refused.stderr
    assert call(bare, "reelpack", cwd=checkout).returncode == 0


def test_it_becomes_the_environment_that_is_there(checkout, bare, tmp_path):
    def prefix(python: Path | str, **environment: str) -> str:
        return call(python, checkout / "reelpack", "plan", **environment).stdout.split("\n")[0]

    assert prefix(sys.executable) == sys.prefix
    assert prefix(bare, VIRTUAL_ENV=sys.prefix) == sys.prefix
    assert prefix(bare, VIRTUAL_ENV=str(tmp_path), CONDA_PREFIX=sys.prefix) == sys.prefix
    (checkout / ".venv").symlink_to(bare.parents[1])
    assert prefix(sys.executable) == sys.prefix
    (checkout / ".venv").unlink()
    (checkout / ".venv").symlink_to(sys.prefix)
    assert prefix(bare) == str(checkout / ".venv")


def test_from_any_folder_by_any_name_whatever_python_is(checkout, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "link").symlink_to(checkout / "reelpack")
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    (tmp_path / "python3").symlink_to(sys.executable)
    shown = call("./link", "plan", "-x", "a b", cwd=tmp_path, PATH=path, VIRTUAL_ENV=sys.prefix)
    assert (shown.returncode, shown.stderr) == (7, "")
    assert shown.stdout.splitlines()[1:] == ["--directory", str(checkout), "-x", "a b"]
    here = call(sys.executable, "reelpack", "plan", cwd=checkout)
    assert here.stdout.splitlines()[1:] == ["--directory", "."]
    assert call(sys.executable, "reelpack", "recipes", cwd=checkout).stdout.splitlines()[1:] == []


def test_any_python_3_can_read_it():
    ast.parse(DOOR.read_text(), feature_version=(3, 6))


def test_exit_codes_and_messages_are_the_commands_own(tmp_path):
    refused = call(DOOR, "verify", tmp_path)
    assert refused.returncode == 2
    assert "it has no provenance.json" in refused.stderr
    assert call(DOOR, "retry", "sometimes").returncode == 2
    gone = call(DOOR, "show", "--directory", tmp_path / "none")
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    empty = call(DOOR, "report", "--directory", ".", cwd=tmp_path)
    assert empty.returncode == 2
    assert empty.stderr == f"error: {tmp_path}/results: nothing to report yet; build first\n"


# ---- lists of what there is --------------------------------------------------------------------


def columns(text: str, number: int) -> list[list[str]]:
    """Split a table without its header into its first columns and the last."""
    return [line.split(maxsplit=number - 1) for line in text.splitlines()[1:]]


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    recipes = {"mine_128": {"extends": "vimpac_256", "crop": {"size": 128}}}
    datasets = {
        "ucf101": {"recipes": ["mine_128"]},
        "demo": {"recipes": ["vimpac_256"], "in_all": False},
        "mine": {"videos": str(tmp_path), "shards": {"train": 2}, "recipes": ["vimpac_256"]},
    }
    path.write_text(yaml.safe_dump({"recipes": recipes, "datasets": datasets}))
    return path


def test_recipes_are_the_shipped_ones_and_the_config_s(config):
    told = call(DOOR, "recipes", "--configfile", config)
    assert told.returncode == 0, told.stderr
    rows = {name: rest for name, *rest in columns(told.stdout, 3)}
    shipped = {path.stem: yaml.safe_load(path.read_text()) for path in ROOT.glob("recipes/*.yaml")}
    assert list(rows) == sorted([*shipped, "mine_128"])
    assert rows["mine_128"] == rows["vimpac_256"]
    for name, card in shipped.items():
        base = shipped[card["extends"]] if "extends" in card else {}
        pack = {**base.get("pack", {}), **card.get("pack", {})}
        assert rows[name] == [pack["format"], " ".join(card["description"].split())]


def test_datasets_are_those_with_cards_and_the_config_s(config):
    told = call(DOOR, "datasets", "--configfile", config)
    assert told.returncode == 0, told.stderr
    rows = {(name, split): rest for name, split, *rest in columns(told.stdout, 5)}
    cards = {path.stem: yaml.safe_load(path.read_text()) for path in ROOT.glob("datasets/*.yaml")}
    assert rows.pop(("mine", "train")) == ["-", "yes", "own videos"]
    assert set(rows) == {(name, split) for name, card in cards.items() for split in card["splits"]}
    for (name, split), row in rows.items():
        clips = cards[name]["splits"][split].get("clips")
        assert row[0] == ("-" if clips is None else f"{clips:,}")
    built = {place: row[1] for place, row in rows.items() if row[1] != "no"}
    assert built == {("ucf101", "train_val"): "yes", ("demo", "all"): "named"}
    assert rows["ucf101", "train_val"][2] == cards["ucf101"]["description"]


# ---- with the real workflow --------------------------------------------------------------------


@pytest.mark.slow
def test_an_audit_and_a_plan_from_elsewhere_are_of_the_project(tmp_path):
    """An audit makes the lists that it needs; nothing is left where the command was called."""
    project = Project.make(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    door = [sys.executable, project.folder / "reelpack"]
    told = call(*door, "audit", "kites", cwd=elsewhere)
    assert told.returncode == 0, told.stderr
    listed = len(project.kites)
    assert told.stdout.splitlines()[2].split() == ["all", "-", str(listed), "0", "0", str(listed)]
    assert (project.folder / "results/kites/audit.json").exists()
    assert (project.folder / "results/kites/all/manifest.parquet").exists()
    plan = call(*door, "plan", "kites", cwd=elsewhere)
    assert plan.returncode == 0, plan.stderr
    assert f"all: {listed} clips listed, 3 shards" in plan.stdout
    report = call(*door, "report", cwd=elsewhere)
    assert report.stdout == f"report: {project.folder}/results/report.html\n", report.stderr
    page = (project.folder / "results/report.html").read_text()
    assert "kites" in page
    assert str(tmp_path) not in page
    dry = call(*door, "build", "-n", "kites", cwd=elsewhere)
    assert dry.returncode == 0, dry.stderr
    assert not list(elsewhere.iterdir())
