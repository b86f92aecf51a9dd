"""The SLURM profile as Snakemake reads it; no cluster needed."""

import re
import subprocess
import sys
from pathlib import Path

from snakemake.profiles import ProfileConfigFileParser

from tests.slurm.cluster import PROFILE, Checkout
from tests.support.helpers import ROOT

CONFIG = "datasets: {demo: {recipes: [lvt_codes_demo]}}\n"


def read(path: Path) -> dict[str, object]:
    with path.open() as stream:
        return dict(ProfileConfigFileParser().parse(stream))


def test_profiles_share_no_key() -> None:
    # The default profile would silently win.
    default = read(ROOT / "profiles" / "default" / "profile.yaml")
    assert default.keys().isdisjoint(read(ROOT / PROFILE))


def test_profile_names_rules_that_exist() -> None:
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = set(re.findall(r"(?m)^rule (\w+):", text))
    profile = read(ROOT / PROFILE)
    named = {entry.partition(":")[0] for entry in profile["set-resources"]}
    named |= {entry.partition("=")[0] for entry in profile["set-threads"]}
    assert named <= rules


def test_rules_that_ask_for_a_gpu_have_the_gpu_partition(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "clone", config=CONFIG)
    checkout.fill_in(gpu_partition="fast", transfer_partition="outside")
    entries = read(checkout.folder / PROFILE)["set-resources"]
    places = dict(entry.split(":slurm_partition=") for entry in entries if "_partition" in entry)
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = re.split(r"(?m)^ *(?:rule|checkpoint)\b", text)
    for needed, partition in {"gpu=": "'fast'", "downloads=1": "'outside'"}.items():
        names = {rule.split(":")[0].strip() for rule in rules if needed in rule}
        assert {name for name, place in places.items() if place == partition} == names, needed


def planned(checkout: Checkout) -> str:
    """Return what a dry run with the profile prints."""
    plan = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run"],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert plan.returncode == 0, plan.stderr
    return plan.stdout


def test_any_partition_name_can_be_filled_in(tmp_path: Path) -> None:
    # Names that are Python's, or no Python at all, must stay names.
    checkout = Checkout(tmp_path / "clone", config=CONFIG)
    checkout.fill_in(cpu_partition="all", gpu_partition="gpu-a100", transfer_partition="2024")
    checkout.fill_in(account="max", gpu_model="a100")
    plan = planned(checkout)

    def values(resource: str) -> set[str]:
        return set(re.findall(rf"{resource}=(.+?)(?:,|$)", plan, re.MULTILINE))

    assert values("slurm_partition") == {"all", "gpu-a100", "2024"}
    assert (values("slurm_account"), values("gpu_model")) == ({"max"}, {"a100"})


def test_a_training_on_several_devices_asks_for_as_many_gpus_of_one_node(tmp_path: Path) -> None:
    model = "models: {vqvae_demo: {extends: vqvae_demo, training: {devices: 4}}}\n"
    checkout = Checkout(tmp_path / "clone", config=CONFIG + model)
    (job,) = re.findall(r"rule train_vqvae:.*?\n\[", planned(checkout), re.DOTALL)
    assert {"gpu=4", "nodes=1"} <= set(re.findall(r"\b(?:gpu|nodes)=\d+", job)), job
