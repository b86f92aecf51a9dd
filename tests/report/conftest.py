"""A run and its page, and a folder of good and bad files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.report.runs import (
    make_alpha,
    make_beta,
    make_page,
)
from tests.support.clips import cut_file, write_audio, write_clip
from tests.support.helpers import write


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_alpha(folder)
    make_beta(folder)
    return folder


@pytest.fixture(scope="session")
def page_file(run) -> Path:
    asked = {"beta/train": {"shards": 2, "recipes": {"later": 8192}}, "gamma/all": {"shards": 3}}
    base = run / "project"
    (base / "datasets").mkdir(parents=True)
    (base / "datasets" / "beta.yaml").write_text("splits: {train: {shards: 2, clips: 99}}\n")
    path = run / "report.html"
    path.write_text(make_page(run, base, asked), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """Good and bad files, some of them listed."""
    folder = tmp_path_factory.mktemp("videos")
    good = write_clip(folder / "good.mp4", frames=50)
    cut_file(good, folder / "cut.mp4", keep=0.5)
    write_audio(folder / "sound.mp4")
    write(folder / "empty.mp4", b"")
    (folder / "folder.mp4").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "still.jpg")
    write(folder / "extra.MKV")
    write(folder / "notes.txt")
    write(folder / ".hidden.mp4")
    write(folder / "deeper" / "other.mp4")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\x1b.avi")).write_bytes(b"x")
    return folder
