"""Start the processes of a training, one for each device, through Lightning Fabric.

They are spawned, so that the command itself only waits: an error in one of them ends the others and
becomes the command's own, and when the command is killed, they end too.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import SimpleQueue
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from reelpack.core.errors import UserError
from reelpack.jobs.device import check_device
from reelpack.jobs.pool import end_with_parent
from reelpack.lvt.training.share import Share

_PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}
# Where another launcher left these, Fabric would take this process for one of that launcher's.
_FOREIGN = (
    *("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK"),
    *("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
)
# Said in every process, and of no use to anyone; processes that are started come by here too.
for _name in ("lightning_fabric", "torch.multiprocessing.spawn"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def launch(
    work: Callable[[Fabric], None], *, device: str, devices: int = 1, precision: str = "fp32"
) -> None:
    """Run `work(fabric)` in one process per device; for one device in this process.

    Args:
        work: picklable where there are several devices, such as a `partial` of a function.
        device: `cpu`, `cuda`, or `cuda:N` for one device.
        devices: that many GPUs, or on the CPU that many processes.
        precision: `fp32`, or `bf16`: forward passes under autocast to bfloat16.

    Raises:
        UserError: no such device, fewer GPUs than asked for, a process that was killed, or one that
            `work` raised.
    """
    check_device(device)
    _check_gpus(device, devices)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    fabric = make_fabric(device, devices=devices, precision=precision)
    if devices == 1:
        work(fabric)
        return
    errors: SimpleQueue[Exception] = multiprocessing.get_context("spawn").SimpleQueue()
    try:
        fabric.launch(partial(_in_process, errors=errors, work=work))
    except (ProcessRaisedException, ProcessExitedException) as error:
        if not errors.empty():
            raise errors.get() from None
        if isinstance(error, ProcessExitedException) and error.signal_name:
            raise UserError(
                f"training process {error.error_index} of {devices} was ended by"
                f" {error.signal_name}; SIGKILL may mean that memory ran out"
            ) from None
        raise
    finally:
        for process in multiprocessing.active_children():
            process.kill()


def make_fabric(device: str, *, devices: int = 1, precision: str = "fp32") -> Fabric:
    """Return Fabric for these devices; for one device it is ready for use.

    It finds its own processes even inside a SLURM job, which it would else take for started by srun.
    """
    kind, _, number = device.partition(":")
    # Buckets of gradients that are laid out anew after the first step would, with three devices or
    # more, be summed in another order, and a resumed training would differ from an unbroken one.
    # Looking for unused parameters keeps the first layout.
    several = DDPStrategy(
        start_method="spawn", find_unused_parameters=True, forward_sync_buffers=False
    )
    return Fabric(
        accelerator=kind,
        devices=[int(number)] if number else devices,
        strategy="auto" if devices == 1 else several,
        precision=_PRECISIONS[precision],
        plugins=[LightningEnvironment()],
    )


def find_share(fabric: Fabric) -> Share:
    """Return which part of every batch this process has."""
    return Share(rank=fabric.global_rank, of=fabric.world_size)


def _in_process(
    fabric: Fabric, *, errors: SimpleQueue[Exception], work: Callable[[Fabric], None]
) -> None:
    end_with_parent()
    try:
        work(fabric)
    except (UserError, OSError) as error:
        errors.put(error)
        raise
    torch.distributed.destroy_process_group()


def _check_gpus(device: str, devices: int) -> None:
    if devices == 1 or device == "cpu":
        return
    if device != "cuda":
        raise UserError(f"device {device!r} is one GPU, and training.devices is {devices}")
    if (found := torch.cuda.device_count()) < devices:
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
        raise UserError(
            f"training.devices: {devices}, and {found} GPUs can be used here (CUDA_VISIBLE_DEVICES:"
            f" {seen}); let the job have more (resource gpu; gpus_at_once in the SLURM profile)"
        )
