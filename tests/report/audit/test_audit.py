"""Audits: every clip and file counted once, under the right heading, whatever state the run is in."""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from reelpack.config.settings import Settings
from reelpack.core.errors import DamagedError
from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import choose_shard, make_manifest, write_manifest
from reelpack.lists.published import make_annotated_manifest
from reelpack.lists.shard_table import ShardRow
from reelpack.report.audit.asked import Asked, AskedSplit, asked_of, state
from reelpack.report.audit.counts import count_split
from reelpack.report.audit.files import audit_files, length_problem
from reelpack.report.audit.page import KEPT_FINDINGS, SHOWN_FINDINGS, audit_text, write_audit
from tests.support.clips import cut_file, write_audio, write_clip
from tests.support.helpers import ROOT, write

pytestmark = pytest.mark.usefixtures("warm_workers")

OK = ""


def split_of(folder: Path, names: list[str], *, shards: int) -> dict[int, list[str]]:
    """Write a manifest of clips without files, and return its ids by shard."""
    table = pd.DataFrame({"clip_id": names, "video": names, "path": names, "fingerprint": ""})
    tables = [folder / f"shards/{number:05d}.parquet" for number in range(shards)]
    write_manifest(table, where=folder, manifest=folder / "manifest.parquet", tables=tables)
    found: dict[int, list[str]] = {number: [] for number in range(shards)}
    for name in names:
        found[choose_shard(name, shards)].append(name)
    return found


def tried(folder: Path, shard: int, verdicts: dict[str, str]) -> None:
    rows = [
        LedgerRow(clip_id, "download_shard", "failed" if failure else "ok", failure)
        for clip_id, failure in verdicts.items()
    ]
    write_ledger(rows, folder / f"downloads/{shard:05d}.ledger.parquet")


NAMES = [f"clip{number}" for number in range(20)]


def test_every_listed_clip_is_counted_once(tmp_path):
    shards = split_of(tmp_path, NAMES, shards=3)
    verdicts = [OK, "gone", OK, "corrupt", "gone"]
    wanted: Counter[str] = Counter()
    for shard in (0, 2):
        found = {name: verdicts[n % 5] for n, name in enumerate(shards[shard])}
        wanted.update(found.values())
        tried(tmp_path, shard, found)
    counts = count_split(tmp_path, AskedSplit(published=25, shards=3, is_fetched=True))
    assert (counts.published, counts.listed) == (25, 20)
    assert counts.obtained == wanted.pop(OK)
    assert counts.failed == wanted
    assert counts.missing == len(shards[1]) > 0
    assert (counts.tried, counts.shards) == (2, 3)


def test_ledgers_of_an_earlier_list_count_for_what_is_listed_today(tmp_path):
    split_of(tmp_path, NAMES[:1], shards=1)
    tried(tmp_path, 0, {NAMES[0]: OK, "removed since": OK, "and this": "gone"})
    # One more shard once held the same clip.
    tried(tmp_path, 1, {NAMES[0]: "corrupt"})
    counts = count_split(tmp_path, AskedSplit(None, 1, is_fetched=False))
    assert (counts.listed, counts.obtained, counts.failed, counts.missing) == (1, 1, {}, 0)


def test_before_there_is_a_list(tmp_path):
    counts = count_split(tmp_path / "nothing", AskedSplit(7, 2, is_fetched=True))
    assert (counts.published, counts.listed, counts.missing) == (7, None, None)
    text = audit_text(Asked("far", "inside", (), {}), {"train": counts}, None)
    assert "no list yet: snakemake make_manifest_far_train" in text


def test_a_damaged_ledger_is_named(tmp_path):
    split_of(tmp_path, NAMES, shards=1)
    write(tmp_path / "downloads/00000.ledger.parquet", b"PAR1")
    with pytest.raises(DamagedError, match=r"00000\.ledger\.parquet: damaged"):
        count_split(tmp_path, AskedSplit(None, 1, is_fetched=False))


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
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


LISTED = """path,clip_id,start,end
good.mp4,whole,,
good.mp4,inside,0.5,2.3
good.mp4,late,0.5,2.6
good.mp4,behind,2,3
cut.mp4,cut,,
sound.mp4,sound,,
empty.mp4,empty,,
folder.mp4,folder,,
still.jpg,still,,
none.mp4,none,,
none.mp4,none again,0,1
"""


def audited(videos: Path, results: Path, *, workers: int = 1):
    write(videos / "list.csv", LISTED)
    make_manifest(
        videos / "list.csv",
        split="all",
        by_split=False,
        manifest=results / "all/manifest.parquet",
        tables=[results / f"all/shards/{number:05d}.parquet" for number in range(2)],
    )
    asked = Asked("mine", "inside", (), {"all": AskedSplit(None, 2, is_fetched=True)})
    return asked, audit_files(results, asked, workers=workers)


def test_what_is_wrong_with_files_of_a_list(videos, tmp_path):
    _, audit = audited(videos, tmp_path)
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
    assert audited(videos, tmp_path)[1] == audited(videos, tmp_path, workers=2)[1]


def test_files_that_nobody_listed_below_a_folder(videos, tmp_path):
    asked, _ = audited(videos, tmp_path)
    asked = Asked("mine", "inside", (str(videos), str(tmp_path / "none")), asked.splits)
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
    asked = Asked("mine", "inside", (), {"all": AskedSplit(None, 1, is_fetched=True)})
    audit = audit_files(tmp_path, asked, workers=1)
    assert [finding.clip_id for finding in audit.findings["missing"]] == ["own"]
    assert (audit.listed, audit.here, audit.waiting) == (2, 0, 1)
    assert "2 listed, 0 here, 1 still to be fetched" in audit_text(asked, {}, audit)


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
    audit = audit_files(tmp_path, asked_of(data), workers=1)
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
    found = length_problem(row, seconds, windows=windows)
    assert found.startswith(message)
    assert bool(found) == bool(message)


# ---- what is written -----------------------------------------------------------------------------


def test_text_json_and_csv_say_the_same(videos, tmp_path):
    asked, audit = audited(videos, tmp_path)
    tried(tmp_path / "all", 0, dict.fromkeys(("cut", "whole", "sound"), "corrupt"))
    text = write_audit(tmp_path, asked, with_files=True, workers=1)
    assert text == (tmp_path / "audit.txt").read_text()
    assert "\x1b" not in text
    values = json.loads((tmp_path / "audit.json").read_text())
    split = values["splits"]["all"]
    assert split["listed"] == 11
    assert split["listed"] == split["obtained"] + sum(split["failed"].values()) + split["missing"]
    with (tmp_path / "audit_files.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for problem, found in audit.findings.items():
        assert values["files"][problem]["count"] == len(found)
        assert [row["clip_id"] for row in rows if row["problem"] == problem] == [
            finding.clip_id for finding in found
        ]
        assert [each["clip_id"] for each in values["files"][problem]["first"]] == [
            finding.clip_id for finding in found
        ]
    table = text.splitlines()[2].split()
    assert table == ["all", "-", "11", "0", str(sum(split["failed"].values())),
                     str(split["missing"])]  # fmt: skip
    assert "2 missing" in text
    first = (tmp_path / "audit.json").read_bytes()
    write_audit(tmp_path, asked, with_files=True, workers=2)
    assert (tmp_path / "audit.json").read_bytes() == first


def test_without_files_nothing_is_opened(videos, tmp_path):
    asked, _ = audited(videos, tmp_path)
    text = write_audit(tmp_path, asked, with_files=False, workers=1)
    assert "files" not in text
    assert json.loads((tmp_path / "audit.json").read_text())["files"] is None
    assert (tmp_path / "audit_files.csv").read_text().count("\n") == 1


def test_long_lists_are_cut_for_people_and_whole_in_the_csv(tmp_path):
    number = KEPT_FINDINGS + 5
    split_of(tmp_path / "all", [f"clip{n}" for n in range(number)], shards=1)
    asked = Asked("mine", "inside", (str(tmp_path),), {"all": AskedSplit(None, 1, False)})
    text = write_audit(tmp_path, asked, with_files=True, workers=1)
    assert f"{number:,} missing" in text
    assert text.count("no such file") == SHOWN_FINDINGS
    assert "... all in results/mine/audit_files.csv" in text
    missing = json.loads((tmp_path / "audit.json").read_text())["files"]["missing"]
    assert (missing["count"], len(missing["first"])) == (number, KEPT_FINDINGS)
    assert (tmp_path / "audit_files.csv").read_text().count("\n") == number + 1


# ---- what is asked -------------------------------------------------------------------------------


def test_what_cards_and_configs_ask_for(tmp_path):
    write(tmp_path / "list.csv", "url\nhttp://x/y.mp4\n")
    datasets = {
        "ucf101": {"recipes": ["vimpac_256"]},
        "kinetics600": {"recipes": ["vimpac_256"], "splits": ["val"]},
        "sthv2": {"recipes": ["vimpac_256"], "videos": str(tmp_path)},
        "far": {"recipes": ["vimpac_256"], "videos": str(tmp_path / "list.csv"), "shards": 2},
        "near": {"recipes": ["vimpac_256"], "videos": str(tmp_path), "shards": {"train": 1}},
        "demo": {"recipes": ["lvt_codes_demo"]},
    }
    settings = Settings({"datasets": datasets}, ROOT)
    asked = {name: asked_of(data) for name, data in settings.datasets.items()}
    assert asked["ucf101"].splits["train_val"] == AskedSplit(13320, 14, is_fetched=True)
    assert asked["ucf101"].folders == ("resources/manual/ucf101", "resources/videos/ucf101")
    assert (asked["kinetics600"].windows, list(asked["kinetics600"].splits)) == ("cut", ["val"])
    assert not asked["sthv2"].splits["train"].is_fetched
    assert asked["sthv2"].folders == (str(tmp_path),)
    assert asked["far"].splits == {"all": AskedSplit(None, 2, is_fetched=True)}
    assert asked["far"].folders == ()
    assert asked["near"].splits == {"train": AskedSplit(None, 1, is_fetched=False)}
    assert asked["demo"].splits == {"all": AskedSplit(None, 3, is_fetched=False)}
    for each in asked.values():
        assert Asked.from_json(json.loads(each.to_json())) == each


def test_the_state_follows_the_ledgers(tmp_path):
    first = state(tmp_path)
    tried(tmp_path / "all", 0, {"a": OK})
    second = state(tmp_path)
    tried(tmp_path / "all", 0, {"a": "gone"})
    assert len({first, second, state(tmp_path)}) == 3
