"""The plan against Snakemake's own count of jobs, and its sums by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from reelpack.report.plan_costs import (
    NOTHING_EARLIER,
    SHARED,
    Cost,
    DatasetPlan,
    describe_total,
    lay_out_plan,
    plan_costs,
    read_jobs,
)
from reelpack.report.times import Timing
from reelpack.report.words import format_bytes
from tests.support.helpers import ROOT, snakemake

HEADER = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan"
DONE, LEFT = "no update", "update pending"
CODES = "results/films/train/encoded/small/{:05d}.{}"


def row(output: str, rule: str, plan: str) -> str:
    return f"{output}\t-\t{rule}\t-\tok\t{plan}"


def shards(*plans: str) -> list[str]:
    endings = ("safetensors", "ledger.parquet")
    return [
        row(CODES.format(number, ending), "encode_shard", plan)
        for number, plan in enumerate(plans)
        for ending in endings
    ]


def write(folder: Path, number: int, size: int) -> None:
    for ending, part in (("safetensors", size - 10), ("ledger.parquet", 10)):
        path = folder / CODES.format(number, ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(part))


def costs(folder: Path, lines: list[str], timings=None, base: Path | None = None):
    return plan_costs(
        read_jobs([HEADER, *lines]), timings or {}, folder=folder, base=base or folder
    )


def test_files_of_one_job_are_one_job():
    jobs = read_jobs([HEADER, *shards(DONE, LEFT)])
    assert [(job.key, job.left, len(job.outputs)) for job in jobs] == [
        (("encode_shard", ("films", "train", "small")), left, 2) for left in (False, True)
    ]


def test_quotes_in_names_are_letters():
    lines = [row(f'results/a/all/packs/b/"{name}', "write_pack", LEFT) for name in "xy"]
    (job,) = read_jobs([HEADER, *lines])
    assert [path.name for path in job.outputs] == ['"x', '"y']


def test_medians_of_earlier_shards_times_the_shards_left(tmp_path):
    for number, size in enumerate((100, 400, 300)):
        write(tmp_path, number, size)
    key = ("encode_shard", ("films", "train", "small"))
    seconds = {"00000": 1.0, "00001": 9.0, "00002": 2.0}
    (plan,) = costs(tmp_path, shards(DONE, DONE, LEFT, LEFT, LEFT), {key: Timing(*key, seconds)})
    (cost,) = plan.costs
    assert (cost.jobs, cost.left, cost.new_files) == (5, 3, 2)
    assert (cost.total_seconds, cost.total_bytes) == (6.0, 600.0)


def test_nothing_earlier_is_said_so(tmp_path):
    (plan,) = costs(tmp_path, shards(LEFT, LEFT))
    assert NOTHING_EARLIER in "\n".join(lay_out_plan(plan))
    assert describe_total([plan]) == f"2 jobs left: {NOTHING_EARLIER}"


def test_only_what_is_known_is_summed():
    known = Cost("encode_shard", "a", 2, 2, 30.0, 2, 500.0)
    unknown = Cost("write_pack", "a", 1, 1, None, 1, None)
    one, both = DatasetPlan("x", costs=[known]), DatasetPlan("x", costs=[known, unknown])
    assert describe_total([one]) == "2 jobs left: 1 min 00 s one after another, 1 kB of new files"
    assert describe_total([both]) == (
        "3 jobs left: at least 1 min 00 s one after another, at least 1 kB of new files"
    )


def test_replaced_files_take_no_disk(tmp_path):
    write(tmp_path, 0, 100)
    (plan,) = costs(tmp_path, shards(LEFT))
    assert "replaced" in "\n".join(lay_out_plan(plan))


def test_clips_are_listed_or_published_or_unknown(tmp_path):
    lines = [
        row(f"results/{name}/train/downloads/00000.parquet", "download_shard", LEFT)
        for name in ("listed", "published", "neither")
    ]
    (tmp_path / "datasets").mkdir()
    for name in ("listed", "published"):
        (tmp_path / "datasets" / f"{name}.yaml").write_text("splits: {train: {clips: 1234}}\n")
    (tmp_path / "results/listed/train").mkdir(parents=True)
    pd.DataFrame({"clip_id": ["a", "b"]}).to_parquet(
        tmp_path / "results/listed/train/manifest.parquet"
    )
    texts = [list(lay_out_plan(plan))[1] for plan in costs(tmp_path, lines)]
    assert texts == [
        "  train: 2 clips listed, 1 shard",
        "  train: 1,234 clips published, 1 shard",
        "  train: clips unknown, 1 shard",
    ]


def test_what_no_dataset_owns_comes_last(tmp_path):
    lines = [row("resources/weights/big/original", "fetch_weights", LEFT), *shards(DONE)]
    plans = costs(tmp_path, lines)
    assert [plan.name for plan in plans] == ["films", SHARED]
    assert list(lay_out_plan(plans[0]))[-1].strip() == "nothing left to do"
    assert plans[1].costs[0].product == "big"


def test_measures_of_two_recipes_are_two_jobs():
    lines = [
        row(f"results/films/train/measures/{name}.{ending}", "measure_codes", LEFT)
        for name in ("large", "small")
        for ending in ("json", "png")
    ]
    assert [(job.key, len(job.outputs)) for job in read_jobs([HEADER, *lines])] == [
        (("measure_codes", ("films", "train", name)), 2) for name in ("large", "small")
    ]


def test_stages_come_in_running_order(tmp_path):
    packs = row("results/films/train/packs/small/provenance.json", "write_pack", LEFT)
    lists = row("results/films/train/manifest.parquet", "make_manifest_films_train", LEFT)
    (plan,) = costs(tmp_path, [packs, *shards(LEFT), lists])
    assert [cost.rule for cost in plan.costs] == ["make_manifest", "encode_shard", "write_pack"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1 kB"),
        (1234, "1.23 kB"),
        (5.4e9, "5.4 GB"),
        (3e15, "3,000 TB"),
    ],
)
def test_file_sizes(size, text):
    assert format_bytes(size) == text


def plan(folder: Path, *targets: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "scripts" / "plan.py"), "--directory", str(folder)]
    return subprocess.run([*command, *targets], capture_output=True, text=True, check=False)


def jobs_left(text: str) -> dict[str, int]:
    """Read the table's jobs left, summed by rule."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if line.startswith("  ") and len(words) > 4 and words[3] == "of":
            found[words[0]] = found.get(words[0], 0) + int(words[2])
    return found


def test_the_command_counts_the_jobs_that_snakemake_counts(tmp_path):
    done = plan(tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    dry = snakemake(tmp_path, "-n", "--cores", "1", "demo").stdout
    stats = dry.split("Job stats:\n")[1].split("total")[0].splitlines()[2:]
    wanted = {name: int(count) for name, count in map(str.split, stats) if name != "demo"}
    found = jobs_left(done.stdout)
    manifests = found.pop("make_manifest")
    assert found | {"make_manifest_demo_all": manifests} == wanted


def test_a_target_that_is_none_ends_with_snakemake_s_words(tmp_path):
    refused = plan(tmp_path, "nonsense")
    assert refused.returncode == 2
    assert "nonsense" in refused.stderr
