"""Files of a dataset against its lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reelpack.config.settings import Settings
from reelpack.lists.manifest import make_manifest
from reelpack.lists.published import make_annotated_manifest
from reelpack.lists.shard_table import ShardRow
from reelpack.report.asked import (
    AuditRequest,
    SplitRequest,
    request_audit,
)
from reelpack.report.audit import (
    format_audit,
)
from reelpack.report.audit_findings import audit_files, compare_length
from tests.report.splits import audit_list
from tests.support.clips import write_clip
from tests.support.helpers import ROOT, write

pytestmark = pytest.mark.usefixtures("warm_workers")


def test_what_is_wrong_with_files_of_a_list(videos, tmp_path):
    _, audit = audit_list(videos, tmp_path)
    found = {name: {f.clip_id: f.message for f in each} for name, each in audit.findings.items()}
    assert (audit.listed, audit.here, audit.waiting) == (7, 6, 0)
    assert found["missing"] == {"none": "no such file", "none again": "no such file"}
    assert found["empty"] == {"empty": "0 bytes"}
    assert set(found["unreadable"]) == {"cut", "sound", "folder"}
    assert found["unreadable"]["sound"].startswith("no_video: ")
    assert found["duration"] == {
        "late": "lasts 2.00 s; the clip is listed to end at 2.6 s",
        "behind": "lasts 2.00 s; the clip is listed to start at 2 s",
    }
    unlisted = [Path(finding.path).name for finding in audit.findings["unlisted"]]
    assert unlisted == [os.fsdecode(b"caf\xe9\x1b.avi"), "extra.MKV"]


def test_workers_do_not_show(videos, tmp_path):
    assert audit_list(videos, tmp_path)[1] == audit_list(videos, tmp_path, workers=2)[1]


def test_files_that_nobody_listed_below_a_folder(videos, tmp_path):
    asked, _ = audit_list(videos, tmp_path)
    asked = AuditRequest("mine", "inside", (str(videos), str(tmp_path / "none")), asked.splits)
    audit = audit_files(tmp_path, asked, workers=1)
    names = {os.path.relpath(finding.path, videos) for finding in audit.findings["unlisted"]}
    assert names == {os.fsdecode(b"caf\xe9\x1b.avi"), "extra.MKV", "deeper/other.mp4"}


def test_what_a_source_may_bring_is_not_missing(tmp_path):
    text = "path,url,clip_id\nown.mp4,,own\n,http://x/far.mp4,far\n"
    make_manifest(
        write(tmp_path / "list.csv", text),
        split="all",
        by_split=False,
        manifest=tmp_path / "all/manifest.parquet",
        tables=[tmp_path / "all/shards/00000.parquet"],
        fetched=tmp_path / "videos",
    )
    asked = AuditRequest("mine", "inside", (), {"all": SplitRequest(None, 1, is_fetched=True)})
    audit = audit_files(tmp_path, asked, workers=1)
    assert [finding.clip_id for finding in audit.findings["missing"]] == ["own"]
    assert (audit.listed, audit.here, audit.waiting) == (2, 0, 1)
    assert "2 listed, 0 here, 1 still to be fetched" in format_audit(asked, {}, audit)


def test_a_folder_against_published_annotations(tmp_path):
    """Clips of two seconds, cut from longer videos; one file holds the longer video, one too little."""
    pushes = {"aaaaaaaaaaa": 50, "bbbbbbbbbbb": 20, "ccccccccccc": 0, "wwwwwwwwwww": 200}
    lines = ["label,youtube_id,time_start,time_end,split"]
    lines += [f"zumba,{name},3,5,train" for name in pushes]
    write(tmp_path / "lists/train.csv", "\n".join(lines))
    folder = tmp_path / "own"
    names = {
        "aaaaaaaaaaa": "zumba/aaaaaaaaaaa_3_2.MKV",
        "bbbbbbbbbbb": "bbbbbbbbbbb_3_2.mp4",
        "wwwwwwwwwww": "wwwwwwwwwww.mp4",
    }
    for name, place in names.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        write_clip(folder / place, frames=pushes[name])
    write(folder / "zumba" / "other_3_2.mp4")
    entry = {"recipes": ["vimpac_256"], "videos": str(folder), "splits": ["train"]}
    data = Settings({"datasets": {"kinetics600": entry}}, ROOT).datasets["kinetics600"]
    make_annotated_manifest(
        data.manifest_result("train", signature="x"),
        folder=tmp_path / "lists",
        manifest=tmp_path / "train/manifest.parquet",
        tables=[tmp_path / "train/shards/00000.parquet"],
    )
    audit = audit_files(tmp_path, request_audit(data), workers=1)
    found = {
        name: [(f.clip_id, os.path.relpath(f.path, folder)) for f in each]
        for name, each in audit.findings.items()
        if each
    }
    assert found == {
        "missing": [("zumba/ccccccccccc_3_2", "zumba/ccccccccccc_3_2.mp4")],
        "duration": [("zumba/bbbbbbbbbbb_3_2", "bbbbbbbbbbb_3_2.mp4")],
        "unlisted": [("", "zumba/other_3_2.mp4")],
    }
    assert audit.findings["duration"][0].message == "lasts 0.80 s; 2 s are listed"
    assert (audit.listed, audit.here, audit.waiting) == (4, 3, 0)


def window(start, end, *, whole=None):
    return ShardRow("a", "a", "a", start, end, None, None, "", whole=whole)


@pytest.mark.parametrize(
    ("row", "seconds", "windows", "message"),
    [
        (window(None, None), 3.0, "cut", ""),
        (window(100, 110), 10.4, "cut", ""),
        (window(100, 110), 10.6, "cut", "lasts 10.60 s; 10 s are listed"),
        (window(100, 110), 4.0, "cut", "lasts 4.00 s; 10 s are listed"),
        (window(100, None), 4.0, "cut", ""),
        (window(100, 110, whole=True), 300.0, "cut", ""),
        (
            window(100, 110, whole=True),
            50.0,
            "cut",
            "lasts 50.00 s; the clip is listed to start at",
        ),
        (window(0, 110), 109.6, "inside", ""),
        (window(0, 110), 109.4, "inside", "lasts 109.40 s; the clip is listed to end at 110 s"),
        (window(None, 2), 1.0, "inside", "lasts 1.00 s; the clip is listed to end at 2 s"),
        (window(1, None), 1.0, "inside", "lasts 1.00 s; the clip is listed to start at 1 s"),
        (window(0, 10), 0.0, "inside", ""),
    ],
)
def test_lengths_against_windows(row, seconds, windows, message):
    found = compare_length(row, seconds, windows=windows)
    assert found.startswith(message)
    assert bool(found) == bool(message)
