import pytest
import torch

from reelpack.core.errors import UserError
from reelpack.jobs.device import ALLOW_CPU, choose_device


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("SLURM_JOB_ID", ALLOW_CPU, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_gpu_that_is_there_is_used_only_when_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(1) == "cuda"
    assert choose_device(0) == "cpu"


def test_a_local_run_without_a_gpu_says_so(capsys):
    assert choose_device(1) == "cpu"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("device: cpu (no CUDA device here")


def test_a_scheduled_job_without_its_gpu_stops(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UserError, match=r"asked SLURM for 1 GPU .*REELPACK_ALLOW_CPU=1"):
        choose_device(1)
    assert choose_device(0) == "cpu"
    monkeypatch.setenv(ALLOW_CPU, "1")
    assert choose_device(1) == "cpu"
