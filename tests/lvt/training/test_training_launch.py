"""Several processes on the CPU: started, equal to one, killed, failing."""

import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reelpack.core.errors import UserError
from reelpack.lvt.training import launch
from reelpack.lvt.transformer import train_on_codes as transformer
from reelpack.lvt.vqvae.train_on_frames import train_vqvae
from tests.lvt.training import events, small_transformer, small_vqvae
from tests.lvt.training.killing import finish, group, kill_after, start

RESULTS = ("model.safetensors", "metrics.csv", "reconstructions.png")
# As in a job that asked SLURM for one task, started by another launcher.
SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_NODELIST": "node[1-2]",
    "SLURM_NODEID": "1",
    "NODE_RANK": "1",
    "MASTER_PORT": "1",
}


def results(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


def small(folder, script="small_vqvae.py", **changes):
    return start(script, folder, json.dumps(changes), **SLURM)


def rows(folder):
    return np.genfromtxt(folder / "metrics.csv", delimiter=",", names=True)


def assert_close(one, other, *, without: tuple[str, ...] = (), **tolerance):
    """Compare weights and metrics of two trainings."""
    mine, others = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert mine.keys() == others.keys()
    for name in (name for name in mine if not name.endswith(without)):
        torch.testing.assert_close(others[name], mine[name], msg=name, **tolerance)
    for name in rows(one).dtype.names:
        np.testing.assert_allclose(rows(other)[name], rows(one)[name], **tolerance)


@pytest.mark.slow
def test_three_devices_learn_what_one_learns_however_often_they_are_killed(tmp_path):
    unbroken = small(tmp_path / "unbroken", devices=3, steps=40)
    status, said = finish(unbroken)
    assert status == 0, said
    assert not [line for line in said.splitlines() if line and "VQ-VAE" not in line], said
    killed = small(tmp_path / "killed", devices=3, steps=40)
    kill_after(killed, tmp_path / "killed" / "checkpoint.pt")
    assert not group(killed)
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    status, said = finish(small(tmp_path / "killed", devices=3, steps=40))
    assert status == 0, said
    assert results(tmp_path / "killed") == results(tmp_path / "unbroken")
    alone = replace(small_vqvae.SETTINGS, steps=40)
    train_vqvae(small_vqvae.FRAMES, alone, tmp_path / "one", device="cpu")
    assert_close(tmp_path / "one", tmp_path / "unbroken", rtol=1e-3, atol=1e-4)
    shown = events.scalars(tmp_path / "killed" / "events")
    assert [step for step, _ in shown["loss"]] == list(range(1, 41))


@pytest.mark.slow
def test_two_devices_train_the_transformer_that_one_trains_however_often_they_are_killed(tmp_path):
    script, names = "small_transformer.py", ("model.safetensors", "metrics.csv")
    for name in ("unbroken", "killed"):
        process = small(tmp_path / name, script, devices=2, steps=30)
        if name == "killed":
            kill_after(process, tmp_path / name / "checkpoint.pt")
            assert not (tmp_path / name / "model.safetensors").exists()
            process = small(tmp_path / name, script, devices=2, steps=30)
        status, said = finish(process)
        assert status == 0, said
    for name in names:
        two = (tmp_path / "unbroken" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == two
    settings = replace(small_transformer.SETTINGS, steps=30)
    transformer.train_transformer(
        small_transformer.VIDEOS,
        settings,
        tmp_path / "one",
        device="cpu",
        held_out=small_transformer.OTHERS,
    )
    # In blocks of one column and frame, biases for others are shifts that softmax does not see: their
    # gradients are rounding, which RMSprop makes as large as any.
    unseen = ("dt_bank", "dw_bank")
    assert_close(tmp_path / "one", tmp_path / "unbroken", without=unseen, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_an_error_in_a_process_is_one_line(tmp_path):
    status, said = finish(small(tmp_path, devices=2, side=12))
    assert status == 2
    assert said.strip().splitlines()[-1].startswith("error: training frame ")
    assert "Traceback" not in said
    assert "expected uint8[16, 16, 3]" in said


@pytest.mark.slow
def test_when_the_command_is_killed_its_processes_end(tmp_path):
    process = small(tmp_path, devices=2, steps=100_000)
    until = time.monotonic() + 120
    while not (tmp_path / "checkpoint.pt").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(group(process)) >= 3
    process.kill()
    until = time.monotonic() + 10
    while group(process):
        assert time.monotonic() < until
        time.sleep(0.1)


def kill_one(fabric):
    fabric.barrier()
    if fabric.global_rank == 1:
        os.kill(os.getpid(), 9)
    fabric.barrier()


@pytest.mark.slow
def test_a_process_that_the_system_ends_is_named():
    with pytest.raises(UserError, match="process 1 of 2 was ended by SIGKILL; SIGKILL may mean"):
        launch.launch(kill_one, device="cpu", devices=2)


def test_fewer_gpus_than_devices_are_a_user_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(UserError, match=r"devices: 4, and 1 GPUs .*VISIBLE_DEVICES: 3\); let the"):
        launch.launch(kill_one, device="cuda", devices=4)
    with pytest.raises(UserError, match=r"'cuda:1' is one GPU, and training.devices is 4"):
        launch.launch(kill_one, device="cuda:1", devices=4)
