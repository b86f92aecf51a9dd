"""Probing own videos: facts, failures, and what makes a clip be looked at again."""

import os

import google_crc32c
import pandas as pd
import pytest
from PIL import Image

from reelpack.clips.download import download_shard
from reelpack.clips.table import read_probes
from reelpack.core.files import sha256_file
from reelpack.core.tables import write_table
from reelpack.jobs.job import Job
from reelpack.jobs.ledger import read_ledger
from reelpack.jobs.retries import Retries
from reelpack.lists.manifest import CLIP_COLUMNS, make_manifest
from reelpack.lists.shard_table import read_shard
from tests.lists.adapters import records
from tests.lists.adapters.records import example
from tests.support.clips import cut_file, write_audio, write_clip

pytestmark = pytest.mark.usefixtures("warm_workers")


NEVER = Retries()


def manifest(folder):
    make_manifest(
        folder / "list.csv",
        split="",
        by_split=False,
        manifest=folder / "m.parquet",
        tables=[folder / "shard.parquet"],
    )


def run(folder, *, retries=NEVER, workers=1):
    job = Job(
        "r",
        folder / "probes.parquet",
        folder / "probes.ledger.parquet",
        folder / "journal",
        retries=retries,
        workers=workers,
    )
    return download_shard(folder / "shard.parquet", job)


@pytest.fixture
def folder(tmp_path):
    good = write_clip(tmp_path / "good ü.mp4", frames=25, audio_seconds=0.5, clockwise=90)
    cut_file(good, tmp_path / "cut.mp4", keep=0.5)
    write_audio(tmp_path / "sound.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    names = [
        "sound.mp4",
        "good ü.mp4",
        "none.mp4",
        "cut.mp4",
        "empty.mp4",
        "folder.mp4",
        "text.mp4",
    ]
    rows = [f"{name},{name},,\n" for name in names] + ["good ü.mp4,part,0.2,0.5\n"]
    (tmp_path / "list.csv").write_text("path,clip_id,start,end\n" + "".join(rows))
    manifest(tmp_path)
    return tmp_path


def test_probes_and_failures_in_list_order(folder):
    rows = run(folder)
    assert [(row.clip_id, row.failure) for row in rows] == [
        ("sound.mp4", "no_video"),
        ("good ü.mp4", ""),
        ("none.mp4", "missing"),
        ("cut.mp4", "corrupt"),
        ("empty.mp4", "corrupt"),
        ("folder.mp4", "missing"),
        ("text.mp4", "corrupt"),
        ("part", ""),
    ]
    assert read_ledger(folder / "probes.ledger.parquet") == rows
    whole, part = read_probes(folder / "probes.parquet")
    assert (whole.clip_id, part.clip_id) == ("good ü.mp4", "part")
    assert (whole.width, whole.height, whole.rotation) == (48, 64, 270)
    assert (whole.codec, whole.pictures, whole.has_audio) == ("h264", 25, True)
    assert whole.duration_seconds == pytest.approx(1.0)
    path = folder / "good ü.mp4"
    assert (whole.path, whole.bytes) == (str(path), path.stat().st_size)
    assert whole.sha256 == part.sha256 == sha256_file(path)


def test_workers_and_repeats_do_not_show(folder):
    run(folder)
    before = (
        (folder / "probes.parquet").read_bytes(),
        (folder / "probes.ledger.parquet").read_bytes(),
    )
    run(folder, workers=2)
    assert (folder / "probes.parquet").read_bytes() == before[0]
    assert (folder / "probes.ledger.parquet").read_bytes() == before[1]


def test_a_video_that_came_or_was_replaced_is_looked_at_again_and_a_touched_one_is_not(
    folder, capsys
):
    run(folder)
    write_clip(folder / "none.mp4", frames=3)
    write_clip(folder / "text.mp4", frames=4)
    os.utime(folder / "good ü.mp4", (1, 1))
    manifest(folder)
    capsys.readouterr()
    rows = run(folder)
    # What is missing, the folder here, is looked for in every run.
    assert "download_shard: 8 clips, 5 found finished" in capsys.readouterr().out
    assert [row.ok for row in rows] == [False, True, True, False, False, False, True, True]


def test_rows_keep_their_types(folder):
    one, *_, last = read_shard(folder / "shard.parquet")
    assert (one.start_seconds, one.label, one.caption) == (None, None, None)
    assert (last.start_seconds, last.end_seconds) == (0.2, 0.5)


def test_pictures_and_records_are_probed_too(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg")
    shot = [bytes([number]) * 12288 for number in range(30)]
    record = example({f"{n}/image_aux1/encoded": [shown] for n, shown in enumerate(shot)})
    path = tmp_path / "b.tfrecords"
    path.write_bytes(
        2 * records.frame(record, crc=google_crc32c.value)
        + records.frame(b"", crc=google_crc32c.value)
    )
    rows = [("a", "a.jpg", None), *((f"b/{n}", "b.tfrecords", n) for n in (1, 2, 3, 4))]
    table = pd.DataFrame(rows, columns=["clip_id", "video", "record"]).astype({"record": "Int64"})
    table["path"] = [str(tmp_path / name) for name in table["video"]]
    table["fingerprint"] = ""
    write_table(table.reindex(columns=CLIP_COLUMNS.names), CLIP_COLUMNS, tmp_path / "shard.parquet")
    assert [row.failure for row in run(tmp_path)] == ["", "", "", "corrupt", "missing"]
    picture, one, two = read_probes(tmp_path / "probes.parquet")
    assert (picture.codec, picture.width, picture.height) == ("picture", 30, 20)
    assert (picture.pictures, picture.duration_seconds) == (1, 0)
    assert (one.codec, one.width, one.height, one.pictures) == ("tfrecord", 64, 64, 30)
    assert one.sha256 == two.sha256 == sha256_file(path)
