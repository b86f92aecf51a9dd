"""One lock, and the conda environments that mirror it."""

import re

import pytest

from helpers import ROOT
from reelpack.schema import load_yaml

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


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
