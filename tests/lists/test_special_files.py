"""Pipes, sockets and devices among videos cost a row, never the run."""

import os
import socket
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from reelpack.core.errors import ClipError, UserError
from reelpack.lists.fingerprints import Fingerprints, fingerprint, signature
from reelpack.lists.folder_index import FolderIndex
from reelpack.lists.manifest import make_manifest
from reelpack.video.stills import index_clip
from tests.support.helpers import ROOT, write

KINDS = ("pipe", "socket", "device", "link to a pipe")


def make_special(path, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "link to a pipe":
        os.mkfifo(path.with_suffix(".pipe"))
        path.symlink_to(path.with_suffix(".pipe"))
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    return path


@pytest.fixture(params=KINDS)
def special(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    return make_special(tmp_path / "v" / "b.mp4", request.param)


def make(videos, folder):
    return make_manifest(
        videos, split="all", by_split=False, manifest=folder / "m", tables=[folder / "s" / "0"]
    )


def test_a_folder_with_one_is_listed_whole(special, tmp_path):
    write(special.parent / "a.mp4", b"video")
    assert signature(special.parent) == signature(special.parent)
    assert make(special.parent, tmp_path) == 2
    marks = pq.read_table(tmp_path / "s" / "0")["fingerprint"].to_pylist()
    assert marks == [fingerprint(str(special.parent / "a.mp4")), ""]
    assert Fingerprints(tmp_path).take([str(special)] * 3) == ["", "", ""]


def test_a_list_may_name_one(special, tmp_path):
    path = write(tmp_path / "list.csv", f"path\n{special}\n")
    assert make(path, tmp_path) == 1


@pytest.mark.parametrize("record", [None, 1])
@pytest.mark.parametrize("ending", [".mp4", ".jpg"])
def test_its_clip_fails_in_one_clear_line(special, record, ending):
    path = special.rename(special.with_suffix(ending))
    with pytest.raises(ClipError) as caught:
        index_clip(path, record)
    assert caught.value.failure == "refused"
    assert str(path) in caught.value.message


def test_it_is_never_a_published_clip_s_file(special):
    assert FolderIndex(special.parent).find("b.mp4") is None


def test_it_is_neither_a_folder_nor_a_list(special, tmp_path):
    path = special.rename(tmp_path / "videos.csv")
    with pytest.raises(UserError, match="no such folder or list of videos"):
        make(path, tmp_path)


def test_the_command_ends(special, tmp_path):
    params = f'{{"videos": "{special.parent}", "split": "all", "by_split": false, "shards": 1}}'
    outputs = ["--manifest", tmp_path / "m.parquet", "--shards", tmp_path / "shards"]
    script = ROOT / "scripts" / "make_manifest.py"
    done = subprocess.run(
        [sys.executable, script, "--params", params, *outputs],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "1 clips in 1 shards" in done.stdout
