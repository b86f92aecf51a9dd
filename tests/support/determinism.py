"""Kernels that give the same bits each time, for tests that compute with torch."""

import pytest
import torch

from reelpack.jobs.device import set_deterministic


@pytest.fixture(autouse=True)
def deterministic():
    threads = torch.get_num_threads()
    set_deterministic()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
