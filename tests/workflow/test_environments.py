"""One lock, and the conda environments that mirror it."""

import re
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reelpack.config.schema import load_yaml
from tests.support.helpers import ROOT

# For published code beside our packs: conda-forge's versions, and no rule.
APART = ROOT / "envs" / "detectron2.yaml"
ENVIRONMENTS = sorted(set((ROOT / "envs").glob("*.yaml")) - {APART})
CONDA_NAMES = {"PIL": "pillow", "lmdb": "python-lmdb", "yaml": "pyyaml"}
THIRD_PARTY = """
import sys
from importlib.metadata import packages_distributions
before = set(sys.modules)
import reelpack.lvt.published.detectron2
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*names & set(packages_distributions()))
"""

# Runs scripts' imports where some top-level modules cannot be found.
IMPORT_SCRIPTS = """
import runpy, sys
from importlib.machinery import PathFinder
absent, scripts = sys.argv[1].split(","), sys.argv[2:]

class Environment:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in absent:
            return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Environment
for script in scripts:
    runpy.run_path(script, run_name=script)
"""


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower(): version for name, version in pairs}


def pins(path) -> dict[str, str]:
    (pip,) = [part["pip"] for part in load_yaml(path)["dependencies"] if isinstance(part, dict)]
    return {name.lower(): version for name, version in (line.split("==") for line in pip)}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_the_lock_s_versions(path):
    lock = locked()
    assert pins(path)
    assert {name: lock.get(name) for name in pins(path)} == pins(path)


def test_every_rule_with_a_script_names_an_environment_that_exists():
    named = set()
    for rules in sorted((ROOT / "rules").glob("*.smk")):
        text = rules.read_text()
        found = re.findall(r'"\.\./envs/(\w+)\.yaml"', text)
        assert len(found) == text.count("script=get_script"), rules.name
        named |= set(found)
    assert named == {path.stem for path in ENVIRONMENTS}


def scripts_of_environments() -> dict[str, set[str]]:
    """Scripts that rules start in each environment."""
    found: dict[str, set[str]] = defaultdict(set)
    for rules in sorted((ROOT / "rules").glob("*.smk")):
        pairs = re.findall(r'envs/(\w+)\.yaml"[\s\S]*?get_script\("(\w+)"\)', rules.read_text())
        for environment, script in pairs:
            found[environment].add(script)
    return found


def closure(names: list[str]) -> set[str]:
    """Return what an installer would bring for these distributions, those that are not here left out."""
    waiting, seen = [Requirement(name) for name in names], set[tuple[str, frozenset[str]]]()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        try:
            needs = map(Requirement, distribution(wanted.name).requires or [])
        except PackageNotFoundError:
            continue
        seen.add(key)
        extras = ("", *wanted.extras)
        waiting += [
            each
            for each in needs
            if each.marker is None or any(each.marker.evaluate({"extra": name}) for name in extras)
        ]
    return {name for name, _ in seen}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_has_what_its_scripts_import(path):
    scripts = sorted(scripts_of_environments()[path.stem])
    assert scripts
    brought = closure(list(pins(path)))
    absent = [
        module
        for module, names in packages_distributions().items()
        if not brought & {canonicalize_name(name) for name in names}
    ]
    assert "snakemake" in absent
    arguments = [",".join(absent), *(f"{name}.py" for name in scripts)]
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_SCRIPTS, *arguments],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_environment_of_detectron2_has_what_interoperation_imports():
    content = load_yaml(APART)
    assert content["channels"] == ["conda-forge", "nodefaults"]
    wanted = {line.partition("=")[0] for line in content["dependencies"]}
    assert "detectron2" in wanted
    command = [sys.executable, "-c", THIRD_PARTY]
    run = subprocess.run(command, cwd=ROOT / "scripts", check=True, capture_output=True, text=True)
    imported = set(run.stdout.split())
    assert {CONDA_NAMES.get(name, name) for name in imported} <= wanted
    assert "numpy" in imported
