"""An audit's counts, and what it writes."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest

from reelpack.core.errors import DamagedError
from reelpack.report.asked import (
    AuditRequest,
    SplitRequest,
)
from reelpack.report.audit import (
    KEPT_FINDINGS,
    SHOWN_FINDINGS,
    count_downloads,
    format_audit,
    write_audit,
)
from tests.report.splits import OK, audit_list, make_split, write_tried
from tests.support.helpers import write

pytestmark = pytest.mark.usefixtures("warm_workers")


NAMES = [f"clip{number}" for number in range(20)]


def test_every_listed_clip_is_counted_once(tmp_path):
    shards = make_split(tmp_path, NAMES, shards=3)
    verdicts = [OK, "gone", OK, "corrupt", "gone"]
    wanted: Counter[str] = Counter()
    for shard in (0, 2):
        found = {name: verdicts[n % 5] for n, name in enumerate(shards[shard])}
        wanted.update(found.values())
        write_tried(tmp_path, shard, found)
    counts = count_downloads(tmp_path, SplitRequest(published=25, shards=3, is_fetched=True))
    assert (counts.published, counts.listed) == (25, 20)
    step = counts.find_downloads()
    assert step.obtained == wanted.pop(OK)
    assert step.classes == wanted
    assert counts.count_left(step) == len(shards[1]) > 0
    assert (len(step.ok), counts.shards) == (2, 3)


def test_ledgers_of_an_earlier_list_count_for_what_is_listed_today(tmp_path):
    make_split(tmp_path, NAMES[:1], shards=1)
    write_tried(tmp_path, 0, {NAMES[0]: OK, "removed since": OK, "and this": "gone"})
    # One more shard once held the same clip.
    write_tried(tmp_path, 1, {NAMES[0]: "corrupt"})
    counts = count_downloads(tmp_path, SplitRequest(None, 1, is_fetched=False))
    step = counts.find_downloads()
    assert (counts.listed, step.ok, step.classes) == (1, {"00000": 1}, {})
    assert counts.count_left(step) == 0


def test_before_there_is_a_list(tmp_path):
    counts = count_downloads(tmp_path / "far" / "train", SplitRequest(7, 2, is_fetched=True))
    assert (counts.published, counts.listed) == (7, None)
    assert counts.count_left(counts.find_downloads()) is None
    text = format_audit(AuditRequest("far", "inside", (), {}), {"train": counts}, None)
    assert "no list yet: ./reelpack build make_manifest_far_train" in text


def test_a_damaged_ledger_is_named(tmp_path):
    make_split(tmp_path, NAMES, shards=1)
    write(tmp_path / "downloads/00000.ledger.parquet", b"PAR1")
    with pytest.raises(DamagedError, match=r"00000\.ledger\.parquet: damaged"):
        count_downloads(tmp_path, SplitRequest(None, 1, is_fetched=False))


def test_text_json_and_csv_say_the_same(videos, tmp_path):
    asked, audit = audit_list(videos, tmp_path)
    write_tried(tmp_path / "all", 0, dict.fromkeys(("cut", "whole", "sound"), "corrupt"))
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
    asked, _ = audit_list(videos, tmp_path)
    text = write_audit(tmp_path, asked, with_files=False, workers=1)
    assert "files" not in text
    assert json.loads((tmp_path / "audit.json").read_text())["files"] is None
    assert (tmp_path / "audit_files.csv").read_text().count("\n") == 1


def test_long_lists_are_cut_for_people_and_whole_in_the_csv(tmp_path):
    number = KEPT_FINDINGS + 5
    make_split(tmp_path / "all", [f"clip{n}" for n in range(number)], shards=1)
    asked = AuditRequest("mine", "inside", (str(tmp_path),), {"all": SplitRequest(None, 1, False)})
    text = write_audit(tmp_path, asked, with_files=True, workers=1)
    assert f"{number:,} missing" in text
    assert text.count("no such file") == SHOWN_FINDINGS
    assert "... all in results/mine/audit_files.csv" in text
    missing = json.loads((tmp_path / "audit.json").read_text())["files"]["missing"]
    assert (missing["count"], len(missing["first"])) == (number, KEPT_FINDINGS)
    assert (tmp_path / "audit_files.csv").read_text().count("\n") == number + 1
