"""Splits of a dataset on its way: a list, and ledgers of downloads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reelpack.jobs.ledger import LedgerRow, write_ledger
from reelpack.lists.manifest import choose_shard, make_manifest, write_manifest
from reelpack.report.asked import AuditRequest, SplitRequest
from reelpack.report.audit_findings import audit_files
from tests.support.helpers import write

OK = ""
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


def make_split(folder: Path, names: list[str], *, shards: int) -> dict[int, list[str]]:
    """Write a manifest of clips without files, and return its ids by shard."""
    table = pd.DataFrame({"clip_id": names, "video": names, "path": names, "fingerprint": ""})
    tables = [folder / f"shards/{number:05d}.parquet" for number in range(shards)]
    write_manifest(table, where=folder, manifest=folder / "manifest.parquet", tables=tables)
    found: dict[int, list[str]] = {number: [] for number in range(shards)}
    for name in names:
        found[choose_shard(name, shards)].append(name)
    return found


def write_tried(folder: Path, shard: int, verdicts: dict[str, str]) -> None:
    rows = [
        LedgerRow(clip_id, "download_shard", "failed" if failure else "ok", failure)
        for clip_id, failure in verdicts.items()
    ]
    write_ledger(rows, folder / f"downloads/{shard:05d}.ledger.parquet")


def audit_list(videos: Path, results: Path, *, workers: int = 1):
    write(videos / "list.csv", LISTED)
    make_manifest(
        videos / "list.csv",
        split="all",
        by_split=False,
        manifest=results / "all/manifest.parquet",
        tables=[results / f"all/shards/{number:05d}.parquet" for number in range(2)],
    )
    asked = AuditRequest("mine", "inside", (), {"all": SplitRequest(None, 2, is_fetched=True)})
    return asked, audit_files(results, asked, workers=workers)
