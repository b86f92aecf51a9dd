"""Counts of clips from ledgers and packs."""

from __future__ import annotations

import json

from reelpack.report.counts import count_split
from tests.report.runs import (
    MANY,
    make_beta,
)


def test_a_damaged_ledger_is_named(tmp_path):
    make_beta(tmp_path)
    split = tmp_path / "results" / "beta" / "train"
    damaged = split / "downloads" / "00001.ledger.parquet"
    damaged.write_bytes(b"PAR1 and no more")
    counts = count_split(split, published=None, shards=None, recipes=())
    assert [error.path for error in counts.unreadable] == [str(damaged)]
    assert counts.failed == counts.transient == MANY


def test_clips_that_a_pack_refused_count(tmp_path):
    make_beta(tmp_path)
    pack = tmp_path / "results" / "beta" / "train" / "packs" / "codes"
    pack.mkdir(parents=True)
    (pack / "provenance.json").write_text(json.dumps({"counts": {"entries": 3}}))
    (pack / "failures.csv").write_text(
        "clip_id,stage,class,message\nlater,write_pack,pack,no\nclip0,download_shard,network,x\n"
    )
    counts = count_split(pack.parents[1], published=None, shards=None, recipes=())
    assert counts.classes["write_pack", "pack"] == 1
    assert counts.failed == MANY + 1
    assert [(p.recipe, p.entries, p.failed) for p in counts.packs] == [("codes", 3, 1)]


def test_a_pack_of_frames_counts_though_nothing_was_encoded(tmp_path):
    make_beta(tmp_path)
    pack = tmp_path / "results" / "beta" / "train" / "packs" / "frames"
    pack.mkdir(parents=True)
    notes = {"counts": {"entries": 3, "failed": 2}, "result": {"pixels": []}}
    (pack / "provenance.json").write_text(json.dumps(notes))
    (pack / "failures.csv").write_text("clip_id,stage,class,message\nlater,write_pack,pack,no\n")
    counts = count_split(pack.parents[1], published=None, shards=None, recipes=())
    found = next(each for each in counts.packs if each.recipe == "frames")
    assert (found.encoded, found.failed, found.left, found.entries) == (3, 2, 0, 3)
