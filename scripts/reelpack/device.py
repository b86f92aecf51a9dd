"""Which device a job computes on: a GPU it asked for must be there."""

from __future__ import annotations

import os

from .errors import UserError

ALLOW_CPU = "REELPACK_ALLOW_CPU"


def choose_device(gpus: int) -> str:
    """Return "cuda" or "cpu".

    Args:
        gpus: how many GPUs the job was declared with.

    Raises:
        UserError: a scheduler was asked for a GPU and there is no CUDA device, unless the environment
            variable REELPACK_ALLOW_CPU is 1.
    """
    import torch

    if gpus > 0 and torch.cuda.is_available():
        return "cuda"
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
    if gpus > 0 and "SLURM_JOB_ID" in os.environ and os.environ.get(ALLOW_CPU) != "1":
        raise UserError(
            f"this job asked SLURM for {gpus} GPU and finds no CUDA device (CUDA_VISIBLE_DEVICES:"
            f" {seen}; torch {torch.__version__}); set {ALLOW_CPU}=1 to run it on the CPU"
        )
    note = f" (no CUDA device here; CUDA_VISIBLE_DEVICES: {seen})" if gpus > 0 else ""
    print(f"device: cpu{note}", flush=True)
    return "cpu"
