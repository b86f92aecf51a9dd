"""One lock, and the conda environments that mirror it."""

import re
import subprocess
import sys

import pytest

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
import reelpack.lvt.detectron2
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*names & set(packages_distributions()))
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
