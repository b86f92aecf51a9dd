"""The workflow on a real SLURM cluster: what its jobs ask for, and what it makes of faults.

One story is told, with two Snakemake runs, and then looked at from several sides:

* the profile as it is shipped makes the manifest, in the cluster's default partition;
* filled in, the first run has a job cancelled in the middle of a shard, and stops at training, since
  there is no CUDA device;
* the second run may train on the CPU; its node goes down meanwhile and comes back.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.slurm.cluster import Checkout, Cluster, Job, end_processes, wait_for
from tests.support.clips import write_clip

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]

GPU_RULES = {"train_vqvae", "encode_shard", "measure_codes"}
CPUS = {"extract_frames": 2, "crop_frames": 2, "encode_shard": 2}
MEGABYTES = {
    "trim_shard": 3000,
    "extract_frames": 4000,
    "crop_frames": 3000,
    "train_vqvae": 16000,
    "encode_shard": 10000,
    "write_pack": 8000,
    "measure_codes": 8000,
}
MINUTES = {
    "trim_shard": 240,
    "download_shard": 480,
    "extract_frames": 240,
    "crop_frames": 120,
    "train_vqvae": 720,
    "encode_shard": 240,
    "write_pack": 240,
    "measure_codes": 120,
}
LONGEST_MINUTES = 24 * 60

# Four frames of clips that are decoded whole: long jobs, small models.
CONFIG = """
datasets:
  clips: {videos: videos, shards: 2, recipes: [codes]}
models:
  vqvae_clips:
    dataset: clips
    split: all
    frames: {uniform: 4, shorter_side: 64}
    crop: {size: 64}
    architecture: {filters: 16, residual_channels: 8, layers: 1, codebooks: 1, codes: 64}
    training: {steps: 100, batch: 8, checkpoint_every: 5}
recipes:
  codes:
    mode: staged
    frames: {uniform: 4, shorter_side: 64}
    crop: {size: 64}
    encoder: {name: vqvae, model: vqvae_clips}
    pack: {format: lvt_codes}
"""
FINISHED_CLIPS = "results/clips/all/journal/extract_frames/*/00000/*.clip"
CHECKPOINT = "resources/models/clips/vqvae_clips/journal/*/checkpoint.pt"


@dataclass
class Story:
    """What was seen.

    Attributes:
        cancelled: the job that was cancelled.
        before: name and modification time of the clips that it had finished.
        after: all modification times of each clip file, seen until its shard was done.
        lost: the job whose node went down, as it was then.
    """

    folder: Path
    local: Path
    jobs: list[Job] = field(default_factory=list)
    cancelled: Job | None = None
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, set[int]] = field(default_factory=dict)
    lost: Job | None = None
    status: dict[str, int] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    refusal: str = ""

    def of(self, rule: str) -> list[Job]:
        return [job for job in self.jobs if job.rule == rule]


def make_videos(folder: Path) -> None:
    folder.mkdir()
    first = write_clip(folder / "00.mp4", frames=250, width=640, height=480, gop=10000)
    for number in range(1, 24):
        shutil.copy(first, folder / f"{number:02d}.mp4")


def finished_clips(folder: Path) -> dict[str, int]:
    found = {}
    for path in folder.glob(FINISHED_CLIPS):
        try:
            found[path.name] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue
    return found


def cancel_in_mid_shard(story: Story, slurm: Cluster, process: subprocess.Popen) -> None:
    wait_for("a finished clip", lambda: finished_clips(story.folder), process=process)
    job = slurm.running("extract_frames", "00000")
    assert job is not None
    story.cancelled = job
    slurm.ask("scancel", str(job.number))

    def ended() -> bool:
        return slurm.running("extract_frames", "00000") is None

    wait_for("the cancelled job's end", ended, process=process)
    story.before = finished_clips(story.folder)

    def sealed() -> bool:
        now = finished_clips(story.folder)
        for name, when in now.items():
            story.after.setdefault(name, set()).add(when)
        return not now

    wait_for("the shard's end", sealed, process=process)


def take_node_down(story: Story, slurm: Cluster, process: subprocess.Popen) -> None:
    wait_for("a checkpoint", lambda: list(story.folder.glob(CHECKPOINT)), process=process)
    job = slurm.running("train_vqvae")
    assert job is not None
    story.lost = job
    node = f"NodeName={job.nodes}"
    slurm.ask("scontrol", "update", node, "State=DOWN", "Reason=test")

    def queued_again() -> bool:
        return slurm.running("train_vqvae") is None

    wait_for("the job to be queued again", queued_again, process=process)
    # SLURM would let it wait for two minutes first.
    slurm.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now")
    wait_for(
        "the job on another node",
        lambda: slurm.running("train_vqvae", elsewhere=job.nodes),
        process=process,
    )
    slurm.ask("scontrol", "update", node, "State=RESUME")


@pytest.fixture(scope="module")
def story(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("checkout")
    checkout = Checkout(folder / "clone", config=CONFIG)
    make_videos(checkout.folder / "videos")
    story = Story(checkout.folder, folder / "local")
    story.local.mkdir()
    shutil.copytree(checkout.folder / "videos", story.local / "videos")
    running: list[subprocess.Popen] = []

    def start(name: str, *arguments: str, **variables: str) -> subprocess.Popen:
        log = folder / f"{name}.log"
        running.append(
            checkout.start(*arguments, log=log, environment=slurm.environment, **variables)
        )
        return running[-1]

    def end(name: str, process: subprocess.Popen) -> None:
        story.status[name] = process.wait(timeout=300)
        story.logs[name] = (folder / f"{name}.log").read_text()

    quick = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5")
    cluster = ("--profile", "slurm", *quick, "--retries", "1")
    try:
        process = start("shipped", *cluster, "--until", "make_manifest_clips_all")
        end("shipped", process)

        checkout.fill_in(cpu_partition="cpu", gpu_partition="gpu", transfer_partition="transfer")
        checkout.fill_in(cpus_per_gpu=2, cpus_per_job=2)
        process = start("no_gpu", *cluster)
        cancel_in_mid_shard(story, slurm, process)
        end("no_gpu", process)
        story.refusal = (story.folder / "logs/train_vqvae/clips/vqvae_clips.log").read_text()

        process = start("allow_cpu", *cluster, REELPACK_ALLOW_CPU="1")
        take_node_down(story, slurm, process)
        end("allow_cpu", process)

        process = start("local", "--directory", str(story.local), "--cores", "2")
        end("local", process)
        story.jobs = slurm.jobs()
        yield story
    finally:
        for log in sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime):
            print(f"---- {log.stem}\n{log.read_text()}")
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        end_processes(story.folder)


def test_shipped_profile_uses_the_default_partition(story: Story) -> None:
    assert story.status["shipped"] == 0
    (job,) = story.of("make_manifest_clips_all")
    assert (job.partition, job.state, job.gpus) == ("cpu", "COMPLETED", "")


def test_all_but_the_target_runs_on_the_cluster(story: Story) -> None:
    assert story.status["allow_cpu"] == 0
    local = [line.strip() for line in story.logs["allow_cpu"].splitlines() if "localrule" in line]
    assert local == ["localrule all:"]


def test_gpu_rules_and_only_they_ask_for_a_gpu(story: Story) -> None:
    assert {job.rule for job in story.jobs if job.gpus} == GPU_RULES
    assert {job.gpus for job in story.jobs if job.rule in GPU_RULES} == {"gres:gpu:1"}


def test_jobs_go_to_their_partitions(story: Story) -> None:
    for job in story.jobs:
        if job.rule in GPU_RULES:
            assert job.partition == "gpu", job.line
        elif job.rule == "download_shard":
            assert job.partition == "transfer", job.line
        else:
            assert job.partition == "cpu", job.line


def test_cpus_memory_and_time_are_the_profiles_and_grow(story: Story) -> None:
    assert {job.attempt for job in story.of("train_vqvae")} == {1, 2, 3}
    for job in story.jobs:
        # The second run counts attempts anew.
        attempt = 1 if job.rule == "train_vqvae" and job.attempt == 3 else job.attempt
        assert job.cpus == CPUS.get(job.rule, 1), job.line
        assert job.megabytes == MEGABYTES.get(job.rule, 4000) * attempt, job.line
        assert job.minutes == min(MINUTES.get(job.rule, 60) * attempt, LONGEST_MINUTES), job.line


def test_gpu_job_without_cuda_fails_with_one_line(story: Story) -> None:
    assert story.status["no_gpu"] == 1
    assert [job.state for job in story.of("train_vqvae")[:2]] == ["FAILED", "FAILED"]
    (line,) = story.refusal.splitlines()
    assert line.startswith("error: this job asked SLURM for 1 GPU and finds no CUDA device")
    # SLURM did give it one.
    assert "CUDA_VISIBLE_DEVICES: 0" in line
    assert line in story.logs["no_gpu"]


def test_failed_jobs_keep_slurms_log(story: Story) -> None:
    for job in story.of("train_vqvae")[:2]:
        assert job.log.parent.parent == story.folder / "logs" / "slurm" / "rule_train_vqvae"
        assert job.log.exists()


def test_allowed_jobs_go_on_on_the_cpu(story: Story) -> None:
    logs = [story.folder / "logs/train_vqvae/clips/vqvae_clips.log"]
    logs += (story.folder / "logs/encode_shard").rglob("*.log")
    assert len(logs) == 3
    for log in logs:
        assert "device: cpu" in log.read_text(), log


def test_cancelled_job_is_noticed_and_sent_again(story: Story) -> None:
    jobs = [job for job in story.of("extract_frames") if job.wildcards.endswith("00000")]
    assert [(job.attempt, job.state) for job in jobs] == [(1, "CANCELLED"), (2, "COMPLETED")]
    assert jobs[0].number == story.cancelled.number
    assert f"SLURM-job '{story.cancelled.number}' failed" in story.logs["no_gpu"]


def test_finished_clips_of_a_cancelled_shard_are_not_done_again(story: Story) -> None:
    assert story.before
    assert len(story.after) > len(story.before)
    for name, when in story.before.items():
        assert story.after[name] == {when}
    (log,) = (story.folder / "logs/extract_frames").rglob("00000.log")
    (found,) = re.findall(r"(\d+) found finished", log.read_text())
    assert len(story.before) <= int(found) < len(story.after)


def test_lost_node_is_no_failure(story: Story) -> None:
    job = story.of("train_vqvae")[2]
    assert job.number == story.lost.number
    assert (job.state, job.restarts) == ("COMPLETED", 1)
    assert job.nodes != story.lost.nodes


def test_packs_equal_a_local_runs(story: Story) -> None:
    assert story.status["local"] == 0
    here, there = ((f / "results/clips/all/packs").resolve() for f in (story.folder, story.local))
    names = sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert len(names) > 24 * 4
    for name in names:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
