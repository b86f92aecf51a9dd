"""Which device a job computes on: a GPU it asked for must be there."""

from __future__ import annotations

import os

from reelpack.core.errors import UserError

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


def set_deterministic(*, threads: int = 1) -> None:
    """Make torch give the same bits in every run; call it before the first computation.

    Args:
        threads: CPU threads inside one operator. Results of some operators depend on it.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Torch would else write NaN into all new memory first, to make reads of it show.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def check_device(device: str) -> None:
    """Raise UserError unless `device` names a device that is there."""
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UserError(f"device {device!r} is unknown; allowed: cpu, cuda, cuda:N") from error
    if kind not in ("cpu", "cuda"):
        raise UserError(f"device {device!r} is not supported; allowed: cpu, cuda, cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {device!r} was asked for, and no GPU can be used here")
