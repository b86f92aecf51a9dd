"""Fixtures of all tests."""

import multiprocessing
from multiprocessing import forkserver

import pytest


@pytest.fixture(scope="session")
def warm_workers():
    """Start the server that worker processes are forked from with everything loaded."""
    modules = [
        "__main__",
        "tests.support.workers",
        "reelpack.encode.single",
        "reelpack.clips.download",
        "reelpack.encoders.vqvae",
    ]
    multiprocessing.get_context("forkserver").set_forkserver_preload(modules)
    forkserver.ensure_running()
