"""Kills, full disks, two runs at once, damaged files: the same packs, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.kill_runs import Chaos, begun_clips, finished_clips, start_build, wait_for_end
from tests.support.project import Project, Run, run

SHARDS = ("00000", "00001")
RECIPES = ("lvt_toy", "vimpac_toy")
Start = Callable[..., subprocess.Popen[bytes]]
pytestmark = pytest.mark.slow


@pytest.fixture
def start() -> Iterator[Start]:
    """`start_build`; what still runs when the test ends is killed."""
    builds: list[subprocess.Popen[bytes]] = []

    def starting(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        builds.append(start_build(*arguments, **options))
        return builds[-1]

    yield starting
    for build in builds:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(build.pid, signal.SIGKILL)
        build.wait()


def members(group: int, pattern: str) -> list[int]:
    listed = subprocess.run(
        ["ps", "-wweo", "pid=,pgid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(pid) for pid, pgid, args in rows if int(pgid) == group and re.search(pattern, args)]


def wait_for(condition: Callable[[], object], build: subprocess.Popen[bytes]) -> object:
    """Wait until something is true while a build is running."""
    while build.poll() is None:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("the build ended before that")


def test_many_kills(new: Project, expected: dict[str, str], tmp_path: Path) -> None:
    kills = int(os.environ.get("REELPACK_KILLS", "30"))
    chaos = Chaos(new, tmp_path, expected=expected, seed=1, seconds=(0.5, 8.0))
    outcome = chaos.run(kills)
    assert outcome.good, outcome
    assert outcome.kills >= kills
    assert outcome.worked > 0
    assert outcome.kept > 0


def test_workers_end_with_their_job_and_the_next_run_goes_on(
    project: Project, expected: dict[str, str], start: Start, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    build = start(project, tmp_path / "output", trace=trace, pause_seconds=0.5)
    journal = project.folder / "results/kites/all/journal/extract_frames"
    wait_for(lambda: list(journal.glob("**/*.clip")), build)
    jobs = members(build.pid, r"^\S*python\S* \S*extract_frames\.py")
    for job in jobs:
        os.kill(job, signal.SIGKILL)
    assert jobs
    build.wait()
    assert build.returncode != 0
    assert wait_for_end(build.pid, seconds=10) == []
    finished = finished_clips(project.folder)
    trace.unlink()
    rerun = start(project, tmp_path / "output", trace=trace)
    assert rerun.wait() == 0, (tmp_path / "output").read_text()
    assert not finished & begun_clips(trace).keys()
    assert project.packs() == expected


def test_jobs_that_outlive_snakemake_and_the_next_run_take_turns(
    project: Project, expected: dict[str, str], start: Start, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    build = start(project, tmp_path / "output", trace=trace, pause_seconds=0.5)
    journal = project.folder / "results/kites/all/journal/extract_frames"
    wait_for(lambda: list(journal.glob("**/*.clip")), build)
    os.kill(build.pid, signal.SIGKILL)
    build.wait()
    rerun = start(project, tmp_path / "again", trace=trace)
    assert rerun.wait() == 0, (tmp_path / "again").read_text()
    assert wait_for_end(build.pid, seconds=10) == []
    assert max(begun_clips(trace).values()) == 1
    assert project.packs() == expected


def test_a_second_run_says_why_it_stops_and_harms_nothing(
    project: Project, expected: dict[str, str], start: Start, tmp_path: Path
) -> None:
    first = start(project, tmp_path / "first")
    wait_for(lambda: (project.folder / "results").exists(), first)
    second = run([sys.executable, "scripts/run.py", "--cores", "1"], cwd=project.folder)
    assert second.returncode != 0
    assert second.text.splitlines() == [
        f"error: another run is at work in {project.folder} (process {first.pid}); "
        "wait for it or stop it"
    ]
    assert first.wait() == 0, (tmp_path / "first").read_text()
    assert project.packs() == expected


# ---- full disks --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        reason = f"a small file system cannot be mounted here: {mounted.stderr.strip()}"
        assert not os.environ.get("REELPACK_REQUIRE_MOUNT"), reason
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, leave_bytes: int) -> Path:
    """Fill a file system up to the given rest."""
    filler = folder / "filler"
    space = os.statvfs(folder)
    with filler.open("wb") as stream:
        stream.write(bytes(space.f_bavail * space.f_frsize - leave_bytes))
    return filler


@pytest.mark.parametrize(
    "case",
    [
        ("clips/{shard}.parquet", "extract_frames", 40_000),
        ("crops/fps4_short32/center32/{shard}.tar", "encode_shard", 16_000),
        ("encoded/{recipe}/{shard}.safetensors", "write_pack", 60_000),
    ],
    ids=lambda case: case[1],
)
def test_a_full_disk(
    project: Project,
    expected: dict[str, str],
    start: Start,
    small_disk: Path,
    tmp_path: Path,
    case: tuple[str, str, int],
) -> None:
    before, stage, leave_bytes = case
    (project.folder / "results").symlink_to(small_disk)
    names = {before.format(shard=s, recipe=r) for s in SHARDS for r in RECIPES}
    project.build(*(f"results/kites/all/{name}" for name in names))
    filler = fill(small_disk, leave_bytes=leave_bytes)
    failed = project.snakemake()
    assert failed.returncode != 0
    assert f"Error in rule {stage}:" in failed.text
    assert set(re.findall(r"error: .*", failed.text)) <= full_disk_lines(failed.text)
    assert full_disk_lines(failed.text)
    assert "Traceback" not in failed.text
    assert not [path for path in project.packs() if stage == "write_pack"]
    finished = finished_clips(project.folder)
    filler.unlink()
    trace = tmp_path / "trace"
    rerun = start(project, tmp_path / "output", trace=trace)
    assert rerun.wait() == 0, (tmp_path / "output").read_text()
    assert not finished & begun_clips(trace).keys()
    assert project.packs() == expected


def full_disk_lines(text: str) -> set[str]:
    return set(re.findall(r"error: .*no space left on this disk; .*", text))


# ---- files damaged behind our backs ------------------------------------------------------------


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def verify(project: Project, *arguments: str) -> Run:
    packs = sorted(str(path.parent) for path in project.folder.glob("results/**/provenance.json"))
    return run([sys.executable, "scripts/verify_pack.py", *arguments, *packs], cwd=project.folder)


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
@pytest.mark.parametrize("name", ["lvt_toy/videos.csv", "vimpac_toy/*/data.mdb"])
def test_a_damaged_pack_is_found_and_mended(
    built: Project, expected: dict[str, str], name: str, damage: Callable[[Path], None]
) -> None:
    assert verify(built).returncode == 0
    path = next((built.folder / "results/kites/all/packs").glob(name))
    damage(path)
    found = verify(built, "--mend")
    assert found.returncode == 1
    assert path.name in found.text
    assert built.build() == {"write_pack": 1}
    assert built.packs() == expected
    assert verify(built).returncode == 0


DAMAGES: list[tuple[str, tuple[str, Any] | None]] = [
    ("encoded/lvt_toy/00001.safetensors", None),
    ("encoded/lvt_toy/00001.ledger.parquet", None),
    ("frames/fps4_short32/00001.tar", ("recipes.lvt_toy.crop.position", "top")),
    # Codes are measured again, against these pictures.
    ("crops/fps4_short32/center32/00001.tar", None),
    ("crops/fps4_short32/center32/00001.tar", ("models.toy.training.steps", 7)),
    ("clips/00001.parquet", ("recipes.vimpac_toy.frames.fps", 3)),
]


@pytest.mark.parametrize(("path", "change"), DAMAGES)
def test_a_truncated_shard_is_named_and_made_again_when_it_is_needed(
    built: Project, expected: dict[str, str], path: str, change: tuple[str, Any] | None
) -> None:
    file = built.folder / "results/kites/all" / path
    good = file.read_bytes()
    if change:
        built.configure(*change)
    truncate(file)
    failed = built.snakemake()
    assert failed.returncode != 0
    assert re.search(rf"error: \S*{path}: damaged \(.*\); it is removed: run again", failed.text)
    assert "Traceback" not in failed.text
    built.build()
    assert file.read_bytes() == good
    assert built.nothing_to_do()
    same = {n: expected[n] for n in expected if change is None or n.endswith("failures.csv")}
    assert same.items() <= built.packs().items()
    assert verify(built).returncode == 0


def test_a_truncated_shard_that_nobody_needs_again_harms_nothing(
    built: Project, expected: dict[str, str]
) -> None:
    truncate(built.folder / "results/kites/all/frames/fps4_short32/00001.tar")
    built.build()
    assert built.packs() == expected
    assert built.nothing_to_do()


def test_a_shard_that_was_deleted_comes_back_from_the_journal(
    built: Project, expected: dict[str, str], start: Start, tmp_path: Path
) -> None:
    for path in built.folder.glob("results/kites/all/encoded/lvt_toy/*"):
        path.unlink()
    for path in built.folder.glob("results/kites/all/packs/lvt_toy/provenance.json"):
        path.unlink()
    trace = tmp_path / "trace"
    rerun = start(built, tmp_path / "output", trace=trace)
    assert rerun.wait() == 0, (tmp_path / "output").read_text()
    assert not begun_clips(trace)
    assert built.packs() == expected
