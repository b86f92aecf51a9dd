"""Cut files of a shard: where they lie, when they are cut again, and ids that would lead elsewhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from reelpack.clips import trim_files
from reelpack.clips.cut.mp4 import read_comment
from reelpack.clips.download import download_shard
from reelpack.clips.table import read_clips
from reelpack.clips.trim_files import CutSettings, clip_path, cut_shard
from reelpack.config.stages import describe_result
from reelpack.core.errors import ClipError
from reelpack.core.files import sha256_file
from reelpack.core.results import canonical
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import read_ledger
from reelpack.lists.manifest import make_manifest
from reelpack.video.index import index_video
from tests.support.clips import picture, write_clip
from tests.support.helpers import ROOT

pytestmark = pytest.mark.usefixtures("warm_workers")
HOSTILE = "$(touch gone)/-i ;`rm` %d:é"


class Cutting:
    """trim_shard of one split, in a folder that other splits share."""

    def __init__(self, folder, *, split="train"):
        self.folder, self.split = folder, split
        self.place = folder / split
        self.cuts = folder / "clips"

    def write(self, rows):
        """Make shard table and probes of rows (path, clip_id, start, end)."""
        self.place.mkdir(exist_ok=True)
        listed = self.folder / f"{self.split}.parquet"
        frame = pd.DataFrame(rows, columns=["path", "clip_id", "start", "end"])
        frame.astype({"start": "float64", "end": "float64"}).to_parquet(listed)
        make_manifest(
            listed,
            split="all",
            by_split=False,
            manifest=self.place / "manifest.parquet",
            tables=[self.place / "shard.parquet"],
        )
        download_shard(self.place / "shard.parquet", self.job("probes", "d"))
        return self

    def job(self, name, result, *earlier, workers=1):
        return Job(
            result,
            self.place / f"{name}.parquet",
            self.place / f"{name}.ledger.parquet",
            self.place / ("journal" if name == "clips" else name),
            earlier=tuple(self.place / f"{one}.ledger.parquet" for one in earlier),
            workers=workers,
        )

    def run(self, how="keyframe", *, workers=1, windows="inside", result="r"):
        return cut_shard(
            self.place / "shard.parquet",
            self.place / "probes.parquet",
            CutSettings(how, windows, self.cuts, self.split),
            self.job("clips", f"{result} {how}", "probes", workers=workers),
        )

    def table(self):
        return {clip.clip_id: clip for clip in read_clips(self.place / "clips.parquet")}

    def files(self):
        """Every file in the folder of clips, hidden ones too."""
        found = sorted(path for path in self.cuts.rglob("*") if path.is_file())
        return [str(path.relative_to(self.cuts)) for path in found]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "long.mp4", frames=60, audio_seconds=2.4)
    write_clip(folder / "b.avi", frames=30)
    return folder


@pytest.fixture
def job(tmp_path, videos):
    long = str(videos / "long.mp4")
    return Cutting(tmp_path).write(
        [
            (long, "air drumming/-x_1_2", 0.5, 1.5),
            (str(videos / "b.avi"), "b", 0.2, 0.6),
            (long, "whole", None, None),
            (long, "late", 9.0, 10.0),
            (long, HOSTILE, None, 0.4),
            (str(videos / "none.mp4"), "none", 0.0, 1.0),
        ]
    )


def test_a_shard(job, videos, capsys):
    rows = job.run()
    assert [(row.clip_id, row.stage, row.failure) for row in rows] == [
        ("air drumming/-x_1_2", "trim_shard", ""),
        ("b", "trim_shard", "trim"),
        ("whole", "trim_shard", ""),
        ("late", "trim_shard", "too_short"),
        (HOSTILE, "trim_shard", ""),
        ("none", "download_shard", "missing"),
    ]
    assert read_ledger(job.place / "clips.ledger.parquet") == rows
    assert job.files() == sorted(["air drumming/-x_1_2.mp4", f"{HOSTILE}.mp4"])
    table = job.table()
    assert list(table) == ["air drumming/-x_1_2", "whole", HOSTILE]
    cut, whole = table["air drumming/-x_1_2"], table["whole"]
    path = job.cuts / "air drumming/-x_1_2.mp4"
    assert (cut.path, cut.sha256) == (str(path), sha256_file(path))
    # The window as asked for, from 0.5 s on, in the time of the file, whose first frame is at 0.52 s.
    assert (cut.start_seconds, cut.end_seconds) == pytest.approx((-0.02, 0.98))
    assert cut.duration_seconds == pytest.approx(1.0)
    assert len(index_video(path).pts) == 25
    assert (whole.path, whole.duration_seconds) == (str(videos / "long.mp4"), None)
    assert "b: trim_shard: trim: " in capsys.readouterr().out


def test_exact_cuts_what_cannot_be_copied(job):
    failures = {row.clip_id: row.failure for row in job.run("exact")}
    assert failures["b"] == ""
    assert len(index_video(job.cuts / "b.mp4").pts) == 10


def test_workers_repeats_and_wiped_results_do_not_show(job, tmp_path, videos):
    first = job.run(workers=1)
    outputs = [job.place / "clips.parquet", job.place / "clips.ledger.parquet"]
    before = [path.read_bytes() for path in outputs]
    stamps = [(job.cuts / name).stat().st_ino for name in job.files()]
    assert job.run(workers=2) == first
    assert [path.read_bytes() for path in outputs] == before
    # Without a journal the files say themselves which clips they are.
    shutil.rmtree(job.place / "journal")
    assert job.run(workers=2) == first
    assert [path.read_bytes() for path in outputs] == before
    assert [(job.cuts / name).stat().st_ino for name in job.files()] == stamps


def change_bytes(path):
    content = bytearray(path.read_bytes())
    # Behind the head, where the frames are.
    content[len(content) // 3] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("change", [Path.unlink, change_bytes, lambda path: path.write_bytes(b"")])
def test_a_file_changed_behind_its_back_is_cut_again(job, capsys, change):
    job.run()
    target = job.cuts / "air drumming/-x_1_2.mp4"
    before, table = sha256_file(target), job.table()
    change(target)
    capsys.readouterr()
    job.run()
    output = capsys.readouterr().out
    assert f"{target} is gone or was changed; it is cut again" in output
    assert "trim_shard: 5 clips, 4 found finished" in output
    assert sha256_file(target) == before
    assert job.table() == table


def test_another_way_and_another_window_cut_anew(job, videos):
    job.run()
    target = job.cuts / "air drumming/-x_1_2.mp4"
    copied = sha256_file(target)
    job.run("exact")
    assert sha256_file(target) != copied
    job.write([(str(videos / "long.mp4"), "air drumming/-x_1_2", 0.5, 1.0)])
    job.run("exact")
    assert len(index_video(target).pts) == 12


def test_windows_of_files_that_are_cut_already_mean_nothing(job, monkeypatch):
    rows = job.run(windows="cut")
    assert [row.failure for row in rows] == ["", "", "", "", "", "missing"]
    assert not job.cuts.exists()
    assert {clip.duration_seconds for clip in job.table().values()} == {None}


def test_pictures_are_not_cut(tmp_path):
    Image.fromarray(picture(0, 64, 48)).save(tmp_path / "a.png")
    job = Cutting(tmp_path).write([(str(tmp_path / "a.png"), "a", 0.0, 1.0)])
    assert [row.failure for row in job.run("exact")] == [""]
    assert job.table()["a"].path == str(tmp_path / "a.png")
    assert not job.cuts.exists()


# ---- splits that share the folder ----------------------------------------------------------------


def test_splits_share_a_clip_and_never_a_name(job, tmp_path, videos):
    job.run()
    target = job.cuts / "air drumming/-x_1_2.mp4"
    inode = target.stat().st_ino
    long = str(videos / "long.mp4")
    same = Cutting(tmp_path, split="val").write([(long, "air drumming/-x_1_2", 0.5, 1.5)])
    assert [row.failure for row in same.run()] == [""]
    assert target.stat().st_ino == inode
    other = Cutting(tmp_path, split="test").write([(long, "air drumming/-x_1_2", 1.5, 2.0)])
    (row,) = other.run()
    assert row.failure == "refused"
    assert f"{target} is another clip of split train: give clip ids that differ" in row.message
    assert job.table()["air drumming/-x_1_2"].sha256 == sha256_file(target)


def test_a_file_of_somebody_else_is_replaced(job, videos):
    target = job.cuts / "air drumming/-x_1_2.mp4"
    target.parent.mkdir(parents=True)
    target.write_bytes((videos / "long.mp4").read_bytes())
    job.run()
    assert json.loads(read_comment(target))["split"] == "train"


# ---- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "clip_id", ["a", "-a", ".a", "a b/c", "a\\b", HOSTILE, "x" * 251, "é" * 125, "a.mp4", "..a"]
)
def test_ids_are_paths_below_the_folder(clip_id):
    folder = Path("resources/clips/mine")
    path = clip_path(folder, clip_id)
    assert str(path) == f"resources/clips/mine/{clip_id}.mp4"
    assert path.resolve().is_relative_to(folder.resolve())


@pytest.mark.parametrize(
    "clip_id",
    ["", ".", "..", "/a", "a/", "a//b", "../a", "a/../b", "a/..", "./a", "a\n", "a\0b", "\udcff",
     "x" * 252, "é" * 126, "y" * 256 + "/a"],
)  # fmt: skip
def test_other_ids_are_refused(clip_id):
    with pytest.raises(ClipError) as caught:
        clip_path(Path("clips"), clip_id)
    assert caught.value.failure == "refused"


def test_an_id_that_is_the_folder_of_another_is_refused(tmp_path, videos):
    long = str(videos / "long.mp4")
    rows = [(long, "a", 0.0, 0.5), (long, "a.mp4/b", 0.0, 0.5), (long, "d" * 255 + "/c", 0.0, 0.5)]
    job = Cutting(tmp_path).write([*rows, *((long, f"{'p/' * 2100}{n}", 0.0, 0.5) for n in "12")])
    failures = [row.failure for row in job.run()]
    assert failures == ["", "refused", "", "refused", "refused"]
    assert job.files() == sorted(["a.mp4", f"{'d' * 255}/c.mp4"])


# ---- kills ---------------------------------------------------------------------------------------


def command(job):
    tables = {
        "shard": "shard.parquet",
        "probes": "probes.parquet",
        "earlier": "probes.ledger.parquet",
        "journal": "journal",
        "output": "clips.parquet",
        "ledger": "clips.ledger.parquet",
    }
    script = [sys.executable, str(ROOT / "scripts/trim_shard.py"), "--split", "train"]
    script += ["--params", canonical(describe_result("trim_shard", {"trim": "exact"}))]
    script += ["--folder", str(job.cuts), "--threads", "1"]
    return script + [part for k, v in tables.items() for part in (f"--{k}", str(job.place / v))]


def test_a_killed_job_goes_on_where_it_was(tmp_path, videos):
    long = str(videos / "long.mp4")
    job = Cutting(tmp_path).write([(long, f"c{n:02}", n / 50, n / 50 + 1) for n in range(30)])
    process = subprocess.Popen(command(job), stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(job.files()) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {name: (job.cuts / name).stat().st_ino for name in job.files() if name[0] != "."}
    assert 4 <= len(done) < 30
    (job.cuts / f".{trim_files.digest('train', 'c29')}.part").write_bytes(b"left by a kill")
    subprocess.run(command(job), check=True, stdout=subprocess.DEVNULL)
    assert job.files() == [f"c{n:02}.mp4" for n in range(30)]
    assert {name: (job.cuts / name).stat().st_ino for name in done} == done
    assert [len(index_video(Path(clip.path)).pts) for clip in job.table().values()] == [25] * 30
